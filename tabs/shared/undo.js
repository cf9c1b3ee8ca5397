// Ctrl+Z and Ctrl+Shift+Z (or Ctrl+Y) press the buttons; a field of text keeps its own undo.
const TEXT = "textarea, input:not([type]), input[type=text], input[type=search], [contenteditable=true]";

function pressed(event) {
  const key = event.key.toLowerCase();
  if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== "z" && key !== "y")) return;
  if (event.target.closest?.(TEXT)) return;
  const button = document.getElementById(key === "y" || event.shiftKey ? "redo" : "undo");
  if (!button || button.disabled) return;
  event.preventDefault();
  button.click();
}

if (!window.reshootUndo) {
  window.reshootUndo = true;
  document.addEventListener("keydown", pressed);
}
