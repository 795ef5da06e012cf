// From here to Phát ngay: asked by a page of ours, so that the session comes along.
const way = document.querySelector("a[data-go]");
if (way) location.replace(way.href);
