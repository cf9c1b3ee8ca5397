"""Parts of a scene's pictures: chosen by a click, a box or a mask; removed, moved and duplicated."""
