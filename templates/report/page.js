
"use strict";
// Without this script everything is there to be opened by hand; with it, it can be filtered.
const form = document.getElementById("filter");
const text = document.getElementById("text");
const shown = document.getElementById("shown");
const boxes = [...form.querySelectorAll("input[name=status]")];
const servers = [...document.querySelectorAll(".server")].map((element) => ({
  element,
  status: element.dataset.status,
  words: element.textContent.toLowerCase().replace(/\s+/g, " "),
}));

function filter() {
  const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const statuses = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  let count = 0;
  for (const { element, status, words } of servers) {
    const fits = statuses.has(status) && wanted.every((word) => words.includes(word));
    element.hidden = !fits;
    count += fits;
  }
  shown.textContent = `${count} of ${servers.length} servers shown`;
}

function openAll(open) {
  for (const { element } of servers) {
    if (!element.hidden) element.open = open;
  }
}

// A link to a server shows it, whatever the filter says.
function follow() {
  const element = document.getElementById(location.hash.slice(1));
  if (!element?.matches(".server")) return;
  element.hidden = false;
  element.open = true;
  element.querySelector("summary").focus();
}

form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("open").addEventListener("click", () => openAll(true));
document.getElementById("close").addEventListener("click", () => openAll(false));
window.addEventListener("hashchange", follow);
form.reset();
form.hidden = false;
follow();
