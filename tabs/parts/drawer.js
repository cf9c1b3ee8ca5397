// Filters the drawer's controls by the text of their labels and help.
const field = element.querySelector("input");
const none = element.querySelector("p");

// A Gradio control is a separate .block; groups and rows contain several.
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
