// A button at each listing that copies it. SPDX-License-Identifier: LGPL-3.0-or-later
for (const listing of document.querySelectorAll("pre")) {
  if (listing.closest(".menu, .menu-comment") || !listing.textContent.trim()) continue;
  const frame = document.createElement("div");
  frame.className = "listing";
  listing.replaceWith(frame);
  const button = document.createElement("button");
  button.className = "copy";
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    const text = listing.textContent.replace(/^\n|\s+$/g, "") + "\n";
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch (problem) {
      // A page that is a file may not write to the clipboard everywhere: then the text is selected, for Ctrl-C.
      getSelection().selectAllChildren(listing);
      button.textContent = "Press Ctrl-C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  frame.append(listing, button);
}
