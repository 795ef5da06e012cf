// The menus of the head close with a click elsewhere and with Escape; "Thêm" in the row opens the person's menu.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("a[href='#more']");
  if (opener) {
    const menu = document.querySelector("details.me");
    event.preventDefault();
    menu.open = !menu.open;
    if (menu.open) menu.querySelector(".choices a, .choices button").focus();
    return;
  }
  for (const menu of document.querySelectorAll(".head details[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector(".head details[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
