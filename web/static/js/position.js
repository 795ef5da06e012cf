// Takes the position of this telephone into the form; one that is not sure enough is said and not taken.
(() => {
  const take = document.getElementById("take-position"), said = document.getElementById("position-said");
  if (!take || !navigator.geolocation || !window.isSecureContext) return;
  const put = (name, value) => { document.getElementById(name).value = value; };
  take.hidden = false;
  take.addEventListener("click", () => {
    said.textContent = take.dataset.asking;
    navigator.geolocation.getCurrentPosition(({ coords }) => {
      const metres = Math.ceil(coords.accuracy);
      if (metres > Number(take.dataset.furthest)) {
        said.textContent = take.dataset.unsure.replace("{metres}", metres);
        return;
      }
      put("latitude", coords.latitude.toFixed(6));
      put("longitude", coords.longitude.toFixed(6));
      put("accuracy", metres);
      said.textContent = take.dataset.found.replace("{metres}", metres);
    }, () => { said.textContent = take.dataset.refused; }, { enableHighAccuracy: true, timeout: 30000, maximumAge: 0 });
  });
  // What is typed by hand is no longer what the telephone said.
  for (const name of ["latitude", "longitude"]) {
    document.getElementById(name).addEventListener("input", () => put("accuracy", ""));
  }
})();
