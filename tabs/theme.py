"""The theme of the page: neutral colours, and system fonts, so that no font is downloaded."""

from __future__ import annotations

from gradio import themes

FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "monospace")


def theme() -> themes.Base:
    return themes.Default(
        primary_hue="orange", secondary_hue="stone", neutral_hue="stone", radius_size="md", font=FONT, font_mono=MONO
    ).set(
        block_label_background_fill="transparent",
        block_label_border_width="0px",
        block_shadow="none",
        body_text_color_subdued="*neutral_500",
        block_info_text_color="*neutral_500",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
    )  # fmt: skip
