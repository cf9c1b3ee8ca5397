// Filters the controls of the drawer that the search field stands in, by the words of their labels and helps.
const field = element.querySelector("input");
const none = element.querySelector("p");

// A control of Gradio is a .block of its own; groups and rows hold several.
function controls(drawer) {
  const blocks = [...drawer.querySelectorAll(".block")].filter((block) => !block.contains(field));
  return blocks.filter((block) => !block.querySelector(".block") && block.querySelector("input, textarea, select"));
}

function search() {
  const drawer = field.closest(".drawer");
  if (!drawer) return;
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const block of controls(drawer)) {
    const text = block.textContent.toLowerCase();
    const fits = words.every((word) => text.includes(word));
    block.classList.toggle("sought-away", !fits);
    found += fits;
  }
  none.hidden = found > 0;
}

field.addEventListener("input", search);
