// What a page does by itself: it stays live, its times stay true, and what cannot be undone is asked twice.
"use strict";

const skew = Date.parse(document.body.dataset.now) - Date.now();
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function coarse(seconds) {
  for (const [size, unit] of UNITS) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  return "1 s";
}

function said(element) {
  const seconds = (Date.now() + skew - Date.parse(element.dateTime)) / 1000;
  if ("until" in element.dataset) return seconds >= 0 ? "due" : `in ${countdown(-seconds)}`;
  if (Math.abs(seconds) < 1) return "just now";
  return seconds > 0 ? `${coarse(seconds)} ago` : `in ${coarse(-seconds)}`;
}

// Minutes and seconds while they matter, so that it is seen to count.
function countdown(seconds) {
  if (seconds >= 3600) return coarse(seconds);
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function tick() {
  for (const element of document.querySelectorAll("time[data-ago], time[data-until]")) {
    const text = said(element);
    if (element.textContent !== text) element.textContent = text;
  }
}

// --- live -----------------------------------------------------------------------------------------------------------

const light = document.getElementById("live");

function show(word) {
  if (!light) return;
  light.dataset.is = word;
  light.querySelector(".word").textContent = word;
}

function isTyped(field) {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.nodeName === "SELECT") return [...field.options].some((one, at) => one.selected !== (one.defaultSelected || (!at && !field.querySelector("[selected]"))));
  return "defaultValue" in field && field.value !== field.defaultValue;
}

const keep = {
  ignoreActiveValue: true,
  callbacks: {
    // What the visitor has typed stays, whatever comes.
    beforeNodeMorphed: (node) => !(node.nodeName === "FORM" && [...node.elements].some(isTyped)),
    // What the visitor has opened stays open, whatever comes.
    beforeAttributeUpdated: (name, node) => !(name === "open" && (node.nodeName === "DETAILS" || node.nodeName === "DIALOG")),
  },
};

function made(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

// Of a list only what has moved is named, with what it comes behind; what stays keeps its focus and its place on screen.
function arrange(list, moves, regions) {
  for (const [id, behind] of moves) {
    const element = document.getElementById(id) ?? made(regions[id]);
    const before = behind === null ? null : document.getElementById(behind);
    if (before) before.after(element);
    else list.prepend(element);
  }
}

function change(regions) {
  for (const [id, html] of Object.entries(regions)) if (html === "") document.getElementById(id)?.remove();
  for (const [id, html] of Object.entries(regions)) {
    const element = document.getElementById(id);
    if (!element) continue;
    if (Array.isArray(html)) arrange(element, html, regions);
    else Idiomorph.morph(element, html.trim(), keep);
  }
  tick();
  document.dispatchEvent(new Event("vigil:changed"));
}

function live() {
  const source = new EventSource(location.href);
  source.onopen = () => show("live");
  source.onmessage = (message) => { show("live"); change(JSON.parse(message.data)); };
  source.addEventListener("away", () => show("no database"));
  source.addEventListener("out", () => location.reload());
  source.onerror = () => show("reconnecting");
  addEventListener("pagehide", () => source.close());
}

// --- asked twice ------------------------------------------------------------------------------------------------------

const dialog = document.getElementById("confirm");
let waiting = null;

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (!question || event.target === waiting) return;
  event.preventDefault();
  waiting = event.target;
  document.getElementById("confirm-text").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
});

dialog?.addEventListener("close", () => {
  if (waiting && dialog.returnValue === "yes") waiting.requestSubmit();
  waiting = null;
});

// --- light and dark ---------------------------------------------------------------------------------------------------

const toggle = document.getElementById("theme");
if (toggle) {
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* it holds for this page */ }
  });
}

// --- the keyboard -----------------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || /INPUT|TEXTAREA|SELECT/.test(event.target.nodeName)) return;
  const search = document.querySelector("input[type=search]");
  if (search) { event.preventDefault(); search.focus(); }
});

tick();
setInterval(tick, 1000);
if (document.getElementById("main") && light && !document.querySelector("form[data-still]")) live();
