"use strict";
const sections = [...document.querySelectorAll("section[data-line]")];

function clear() {
  document.querySelectorAll(".on, .also").forEach((found) => found.classList.remove("on", "also"));
}

/** Marks a section, the line of the spec that it comes from, and the lines through which that was reached. */
function choose(section) {
  clear();
  section.classList.add("on");
  for (const id of section.dataset.also.split(" ").filter(Boolean)) document.getElementById(id)?.classList.add("also");
  const line = document.getElementById(section.dataset.line);
  line?.classList.add("on");
  line?.scrollIntoView({ block: "nearest" });
}

/** Marks every section of a line, and shows the first. */
function chooseLine(line) {
  clear();
  line.classList.add("on");
  const found = sections.filter((each) => each.dataset.line === line.id || each.dataset.also.split(" ").includes(line.id));
  found.forEach((each) => each.classList.add("on"));
  if (found.length) {
    found[0].closest("details")?.setAttribute("open", "");
    found[0].scrollIntoView({ block: "nearest" });
  }
}

/** Shows the step that the address names, wherever it is folded away. */
function follow() {
  const step = location.hash && document.getElementById(location.hash.slice(1));
  if (!step) return;
  step.closest("details")?.setAttribute("open", "");
  const section = step.closest("section");
  if (section) choose(section);
  step.scrollIntoView({ block: "center" });
}

function onEnter(element, act) {
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter") act();
  });
}

for (const section of sections) {
  section.addEventListener("click", (event) => {
    if (!event.target.closest("a")) choose(section);
  });
  onEnter(section.querySelector("h3"), () => choose(section));
}
for (const line of document.querySelectorAll("aside li")) {
  line.addEventListener("click", () => chooseLine(line));
  onEnter(line, () => chooseLine(line));
}
window.addEventListener("hashchange", follow);
follow();
