// What is recorded or uploaded is for one language at a time: its box goes where it is asked for.
(() => {
  const bring = document.getElementById("bring"), upload = document.getElementById("upload");
  const buttons = [...document.querySelectorAll("[data-bring]")];
  if (!bring || !upload || buttons.length < 2) return;
  const word = bring.querySelector("#record .start [data-word]"), begin = word?.textContent;

  function show(chosen) {
    for (const each of buttons) each.closest("p").hidden = each === chosen;
  }

  function move(button) {
    if (loa.upload.isBusy()) return;
    upload.dataset.into = button.dataset.bring;
    button.closest("p").after(bring);
    show(button);
    if (word) word.textContent = begin;
    bring.querySelector("#record:not([hidden]) .start, #file").focus();
  }

  for (const each of buttons) each.addEventListener("click", () => move(each));
  show(buttons[0]);
})();
