// The scan of a signed paper: the file goes to the API as it is; the page then shows the link to it.
(() => {
  const file = document.querySelector("input[type=file][data-scan]");
  if (!file) return;
  const wrong = document.getElementById("scan-wrong");
  const words = { 413: "large", 415: "kind", 422: "kind", 507: "room" };

  file.addEventListener("change", async () => {
    const chosen = file.files[0];
    if (!chosen) return;
    wrong.hidden = true;
    file.disabled = true;
    const answer = await fetch(file.dataset.scan, { method: "PUT", body: chosen }).catch(() => null);
    if (answer?.ok) return location.reload();
    wrong.textContent = wrong.dataset[words[answer?.status]] ?? wrong.dataset.other;
    wrong.hidden = false;
    file.disabled = false;
    file.value = "";
  });
})();
