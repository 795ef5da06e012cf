// What was sent was refused as a whole: what was typed is kept and offered again, see draft.js.
sessionStorage.setItem("loa:draft-refused", "yes");
