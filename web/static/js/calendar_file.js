// A calendar file is put into the field that is sent: nothing else of it leaves this device, and a draft keeps it.
(() => {
  const box = document.getElementById("choose-file");
  if (!box) return;
  const file = document.getElementById("calendar-file");
  const said = document.getElementById("calendar-file-chosen");
  const text = document.getElementById("ics");
  const pasted = document.getElementById("pasted");
  box.hidden = false;
  if (!text.hasAttribute("aria-invalid")) pasted.open = false;

  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    if (!chosen) return;
    said.textContent = "";
    if (chosen.size > Number(said.dataset.most) * 3) {
      said.textContent = said.dataset.large;
      return;
    }
    let found = "";
    try {
      found = await chosen.text();
    } catch {
      said.textContent = said.dataset.unread;
      return;
    }
    if (found.length > Number(said.dataset.most)) {
      said.textContent = said.dataset.large;
      return;
    }
    text.value = found;
    text.dispatchEvent(new Event("input", { bubbles: true }));
    said.textContent = chosen.name;
  });
})();
