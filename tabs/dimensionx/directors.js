// The directors as buttons. props.value: the id of the selected one; sends Python select {director}.
const buttons = [...element.querySelectorAll("button")];
const mark = () => buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.director === props.value));
for (const button of buttons) button.addEventListener("click", () => trigger("select", { director: button.dataset.director }));
watch("value", mark);
mark();
