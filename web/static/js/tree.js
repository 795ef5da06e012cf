// In a tree of places, a chosen place covers all below it: those are shown as chosen and are not sent again.
(() => {
  const cover = (box) => {
    const below = box.closest("li").querySelectorAll(":scope ul input[type=checkbox]");
    for (const child of below) {
      child.checked = box.checked;
      child.disabled = box.checked;
    }
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches(".tree input[type=checkbox]")) cover(event.target);
  });
  for (const box of document.querySelectorAll(".tree input[type=checkbox]:checked:not(:disabled)")) cover(box);
})();
