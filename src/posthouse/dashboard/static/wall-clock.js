// <form data-wall-clock="field">: that field's time is meant by the visitor's own clock; `offset` tells the server.
"use strict";

for (const form of document.querySelectorAll("form[data-wall-clock]")) {
  const at = form.elements[form.dataset.wallClock];
  const offset = form.elements.offset;
  const tell = () => {
    offset.value = String((at.value ? new Date(at.value) : new Date()).getTimezoneOffset());
  };
  if (!at.value || offset.value) {
    form.querySelector("[data-zone]").textContent = "(your time)";
    at.addEventListener("change", tell);
    tell();
  }
}
