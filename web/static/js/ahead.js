// On a slow link what comes later (later.js) is asked for while the page's own scripts are still on their way: so short a
// script is here before them. With them it would hold them up, and after them it would come behind the letters' shapes.
setTimeout(() => {
  for (const href of document.querySelector("meta[name=loa-later]").content.trim().split(" ")) {
    if (document.querySelector(`script[src="${href}"]`)) continue; // the link is not so slow
    document.head.append(Object.assign(document.createElement("link"), { rel: "preload", as: "script", href }));
  }
}, 300);
