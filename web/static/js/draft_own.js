// What of a draft is its writer's own. A form with data-stands shows how something is that others change, too: whoever
// changed one field of it left the others as they were then, and what those have become meanwhile is not theirs to undo.
(() => {
  const isTicked = (field) => field.type === "radio" || field.type === "checkbox";
  const chosen = (select) => [...select.options].find((each) => each.defaultSelected) ?? select.options[0];

  // How fields stood when the page was made, whatever was typed since or given back by the browser.
  const stood = (fields) => fields.map((each) => [each.name, isTicked(each) ? [each.value, each.defaultChecked]
    : each.tagName === "SELECT" ? chosen(each)?.value ?? "" : each.defaultValue]);

  // Fields that mean one thing together: an hour that is typed or one of the usual ones; the rows of a list.
  function parted(fields) {
    const count = new Map(), parts = new Map();
    for (const [name, value] of fields) if (!Array.isArray(value)) count.set(name, (count.get(name) ?? 0) + 1);
    return fields.map((each) => {
      const [name, value] = each, isBox = Array.isArray(value) && !name.endsWith("_usual");
      const part = isBox ? `${name}=${value[0]}` : /-\d+$/.test(name) || count.get(name) > 1 ? "rows" : name.replace(/_usual$/, "");
      parts.set(part, [...(parts.get(part) ?? []), each]);
      return [part, each];
    }).map(([part, each]) => [part, each, JSON.stringify(parts.get(part))]);
  }

  // A draft with what was changed in it alone; `draft.stood` is missing where nobody else changes what it is of. A place
  // that was read only later was not ticked.
  function own(draft) {
    if (!draft.stood) return draft;
    const before = new Map(parted(draft.stood.fields).map(([part, , all]) => [part, all]));
    const unread = ([name, value]) => name === "target" && !value[1];
    const fields = parted(draft.fields).filter(([part, each, all]) => before.get(part) !== all && (before.has(part) || !unread(each)));
    const cards = Object.entries(draft.cards ?? {}).filter(([id, again]) => again !== draft.stood.cards[id]);
    const recording = cards.some(([id]) => id === "recording") ? draft.recording : "";
    return { ...draft, fields: fields.map(([, each]) => each), cards: Object.fromEntries(cards), recording };
  }

  Object.assign(window.loa.drafts, { own, stood });
})();
