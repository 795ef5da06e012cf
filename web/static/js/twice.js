// A new password is typed twice. Two that differ are told before they are sent, at the field and with the cursor in it: no
// page gives back a password, and after an answer all of them would have to be typed again.
(() => {
  document.addEventListener("submit", (event) => {
    const again = event.target.querySelector("[data-same-as]"), first = event.target.elements[again?.dataset.sameAs];
    if (!first || first.value === again.value) return;
    event.preventDefault();
    event.stopImmediatePropagation(); // it is not sent: nothing says that it is
    const said = document.getElementById(`wrong-${again.id}`) ?? document.createElement("span");
    said.id = `wrong-${again.id}`;
    said.className = "wrong";
    said.role = "alert";
    said.textContent = again.dataset.differs;
    again.after(said);
    again.setAttribute("aria-invalid", "true");
    again.setAttribute("aria-describedby", said.id);
    again.focus();
    again.select();
  }, true);
})();
