// The timeline: scripts/timeline.js, which all timelines of the page share. Sends Python: edit {do, request, ...}.
const made = import(new URL(props.scripts, document.baseURI)).then(
  ({ Timeline }) => new Timeline(element.querySelector(".timeline"), props, (command) => trigger("edit", command)),
);
const update = () => made.then((timeline) => timeline.take(props.value));
watch("value", update);
update();
