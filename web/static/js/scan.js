// The scan of a signed paper: the file goes to the API as it is, and how far it is is said; the page then shows the link to it.
(() => {
  const file = document.querySelector("input[type=file][data-scan]");
  if (!file) return;
  const wrong = document.getElementById("scan-wrong"), doing = document.getElementById("scan-doing");
  const [bar, said] = [doing.querySelector("progress"), doing.querySelector("[role=status]")];
  const words = { 401: "ended", 408: "slow", 413: "large", 415: "kind", 422: "kind", 507: "room" };

  function fail(word) {
    wrong.textContent = wrong.dataset[word] ?? wrong.dataset.other;
    wrong.hidden = false;
    doing.hidden = true;
    file.disabled = false;
    file.setAttribute("aria-invalid", "true");
    file.value = "";
    file.focus();
  }

  function show(words, share) {
    if (share === undefined) bar.removeAttribute("value"); else bar.value = share;
    said.textContent = words.replace("{percent}", share);
    doing.hidden = false;
  }

  file.addEventListener("change", () => {
    const chosen = file.files[0];
    if (!chosen) return;
    wrong.hidden = true;
    file.removeAttribute("aria-invalid");
    if (chosen.size > Number(file.dataset.most)) return fail("large");
    file.disabled = true;
    show(doing.dataset.sending, 0);
    const asked = new XMLHttpRequest();
    asked.upload.onprogress = ({ loaded, total }) => show(doing.dataset.sending, Math.floor((loaded / total) * 100));
    asked.upload.onload = () => show(doing.dataset.checking);
    asked.onload = () => {
      // Decided meanwhile, the page says so.
      if (asked.status < 300 || asked.status === 409) location.replace(location.pathname + location.search); // not sent anew, where a form led here
      else fail(words[asked.status]);
    };
    asked.onerror = () => fail("network");
    asked.open("PUT", file.dataset.scan);
    asked.send(chosen);
  });
})();
