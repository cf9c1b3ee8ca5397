// Undo and redo by the two buttons and by Ctrl+Z, Ctrl+Shift+Z or Ctrl+Y; a text field keeps its own undo. Rapid presses are not
// lost: one request is sent at a time, and presses during it are sent together with the next. Sends Python: steps
// {steps, request}.
const TEXT = "textarea, input:not([type]), input[type=text], input[type=search], [contenteditable=true]";
const made = import(new URL(props.scripts, document.baseURI)).then(
  ({ Requests }) => new Requests((command) => trigger("steps", command)),
);
const presses = [];

function keyed(event) {
  const key = event.key.toLowerCase();
  if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== "z" && key !== "y")) return;
  if (event.target.closest?.(TEXT)) return;
  const button = document.getElementById(key === "y" || event.shiftKey ? "redo" : "undo");
  if (!button || button.disabled) return;
  event.preventDefault();
  button.click();
}

function clicked(event) {
  const button = event.target.closest?.("#undo, #redo");
  if (!button || button.disabled) return;
  presses.push(button.id);
  made.then((requests) => requests.add(() => (presses.length ? { steps: presses.splice(0) } : null)));
}

watch("value", () => made.then((requests) => requests.answered(props.value?.request)));
window.reshootUndo?.abort();
window.reshootUndo = new AbortController();
document.addEventListener("keydown", keyed, window.reshootUndo);
document.addEventListener("click", clicked, window.reshootUndo);
