// Reading mail by the keyboard. Keys do what links and buttons do: each of these names its key by data-key.
"use strict";

(() => {
  const rows = () => [...document.querySelectorAll("#messages a.message")];
  const opened = () => document.querySelector("#email [data-email]");

  // The row of the email that is open is marked, whoever wrote the rows.
  function mark() {
    const id = opened()?.dataset.email;
    for (const row of rows()) {
      if (row.dataset.email === id) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }

  function move(by, opens) {
    const all = rows();
    let here = all.indexOf(document.activeElement);
    if (here < 0) here = all.findIndex((row) => row.hasAttribute("aria-current"));
    const next = all[here < 0 ? 0 : here + by];
    if (!next) return;
    next.focus();
    if (opens) next.click();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (event.target.closest("input, textarea, select")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const arrow = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (arrow && event.target.closest("#messages")) move(arrow, false);
    else if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1, !!opened());
    else if (event.key === "/") document.getElementById("search")?.focus();
    else if (event.key === "?") document.getElementById("keys")?.togglePopover();
    else {
      const meant = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
      if (!meant || document.querySelector(":popover-open")) return;
      meant.click();
    }
    event.preventDefault();
  });

  document.addEventListener("htmx:after:swap", () => {
    mark();
    const email = document.getElementById("email");
    email?.querySelector("[autofocus]")?.focus();
    // On a phone the list gives way to the email: whoever can't see goes there with it.
    const list = document.querySelector(".list");
    if (opened() && list && !list.offsetParent && !email.contains(document.activeElement)) {
      document.getElementById("subject")?.focus();
    }
  });
})();
