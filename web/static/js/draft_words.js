// What is told of a draft (draft.js): of when it is and what it holds, by the names that a person knows it by.
(() => {
  const MOST_TOLD = 4, MOST_LETTERS = 40;
  const cut = (text) => (text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}…` : text);

  // The words beside a box or a circle, without what is said of it in small.
  function labelOf(field) {
    const label = field.closest("label")?.cloneNode(true);
    if (!label) return "";
    for (const each of label.querySelectorAll("input, svg, .small, .mark, .hint, .words")) each.remove();
    return label.textContent.replace(/\s+/g, " ").trim();
  }

  const isPlace = (name) => name === "target" || name === "whole";

  // What a draft holds besides what stands in the form as it is: its recording first, then what was typed, then places and
  // whatever else is ticked. Places are told also where they are those of every day.
  function holds(draft, now) {
    const recording = draft.recording && draft.title, typed = [], ticked = [];
    const same = new Set(now.map((each) => JSON.stringify(each)));
    const whole = draft.fields.some(([name, value]) => name === "whole" && value[0] && value[1]); // then no other place counts
    for (const each of draft.fields) {
      const [name, value] = each, isNew = !same.has(JSON.stringify(each));
      if (Array.isArray(value)) {
        const label = draft.labels?.[`${name}=${value[0]}`];
        if (value[0] && value[1] && label && (isNew || isPlace(name)) && !(whole && name === "target")) ticked.push(cut(label));
      } else if (value.trim() && isNew && value !== recording) {
        const label = draft.labels?.[`${name}=${value}`];
        typed.push(label ? cut(label) : `“${cut(value.trim())}”`);
      }
    }
    const words = document.getElementById("draft-notice").dataset;
    const all = [...(recording ? [words.recording.replace("{title}", () => cut(recording))] : []), ...typed, ...ticked];
    return all.length > MOST_TOLD ? `${all.slice(0, MOST_TOLD).join(", ")}…` : all.join(", ");
  }

  // By the clock of the place, which this device's own need not be.
  function when(at) {
    const { dataset } = document.getElementById("clock"), words = document.getElementById("draft-notice").dataset;
    const centre = Number(dataset.now) + performance.now(), zone = Number(dataset.zoneMinutes) * 60000;
    const local = (instant) => new Date(instant + zone).toISOString();
    const then = local(at - Date.now() + centre), day = then.slice(0, 10), hour = then.slice(11, 16);
    if (day === local(centre).slice(0, 10)) return words.today.replace("{hour}", hour);
    if (day === local(centre - 24 * 3600 * 1000).slice(0, 10)) return words.yesterday.replace("{hour}", hour);
    const year = day.slice(0, 4), said = `${day.slice(8)}/${day.slice(5, 7)}`;
    return words.before.replace("{hour}", hour).replace("{date}", local(centre).startsWith(year) ? said : `${said}/${year}`);
  }

  window.loa.drafts = { holds, labelOf, when };
})();
