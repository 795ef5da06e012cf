// A form with data-once is sent once, however often it is pressed. The key inside makes twice be once at the centre too.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.hasAttribute("data-once")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  const button = event.submitter;
  if (button) {
    button.setAttribute("aria-disabled", "true");
    if (button.dataset.pending) button.querySelector("[data-word]").textContent = button.dataset.pending;
  }
});
