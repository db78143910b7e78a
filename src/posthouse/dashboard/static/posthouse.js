// What every page does by itself: ages grow, moments are told in the visitor's time zone, texts can be copied.
"use strict";

(() => {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

  function age(seconds) {
    let left = Math.max(0, Math.round(seconds));
    let words = [];
    for (const [unit, length] of units) {
      const amount = Math.floor(left / length);
      left -= amount * length;
      if (amount) words.push(`${amount} ${unit}`);
    }
    if (words.length > 1 && words[0].endsWith("min")) words = words.slice(0, 1);
    return words.slice(0, 2).join(" ") || "0 s";
  }

  function tick(root) {
    for (const time of root.querySelectorAll("time[data-ago]")) {
      const text = `${age((Date.now() - Date.parse(time.dateTime)) / 1000)} ago`;
      if (time.textContent !== text) time.textContent = text;
    }
  }

  const today = { hour: "2-digit", minute: "2-digit" };
  const thisYear = { day: "numeric", month: "short", ...today };
  const longAgo = { day: "numeric", month: "short", year: "numeric" };

  function localise(root) {
    const now = new Date();
    for (const time of root.querySelectorAll("time[data-local]")) {
      const at = new Date(time.dateTime);
      const how = at.toDateString() === now.toDateString() ? today
        : at.getFullYear() === now.getFullYear() ? thisYear : longAgo;
      const text = at.toLocaleString(undefined, how);
      if (time.textContent !== text) time.textContent = text;
      time.title = at.toLocaleString();
    }
  }

  function refresh() { tick(document); localise(document); }

  document.addEventListener("DOMContentLoaded", refresh);
  document.addEventListener("htmx:after:swap", refresh);
  setInterval(() => tick(document), 1000);

  // <button type="button" data-copy="#id"> copies that element's text.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const source = document.querySelector(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
    }
  });

  // <input type="checkbox" data-all="name"> ticks all boxes of that name.
  document.addEventListener("change", (event) => {
    const all = event.target.closest("input[data-all]");
    if (!all) return;
    for (const box of document.querySelectorAll(`input[name="${all.dataset.all}"]`)) box.checked = all.checked;
  });
})();
