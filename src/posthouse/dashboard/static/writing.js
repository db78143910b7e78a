// Writing an email: the button works once. (Twice would do no harm: the form has a key of its own.)
"use strict";

(() => {
  const form = document.querySelector("form[data-write]");
  const button = form.querySelector("button[data-once]");

  function tell(words, disabled) {
    button.textContent = words;
    button.disabled = disabled;
  }

  form.addEventListener("submit", () => tell("Sending …", true));
  window.addEventListener("pageshow", () => tell("Send", false)); // coming back by the browser's history
})();
