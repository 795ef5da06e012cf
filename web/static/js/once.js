// A form with data-once is sent once, however often it is pressed. The key inside makes twice be once at the centre too.
// A form with data-again is sent with every press: silence ordered twice is silence, and a request that hangs on a bad
// link must not keep the next press from going out.
document.addEventListener("submit", (event) => {
  const form = event.target, button = event.submitter;
  const once = form.hasAttribute("data-once");
  if (!once && !form.hasAttribute("data-again")) return;
  if (once && form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  if (!button) return;
  if (once) button.setAttribute("aria-disabled", "true");
  if (button.dataset.pending) button.querySelector("[data-word]").textContent = button.dataset.pending;
});
