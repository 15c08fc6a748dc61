// A button at each listing that copies it, and short code in one piece. SPDX-License-Identifier: LGPL-3.0-or-later
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
// A name is not broken at its hyphens. What is longer than a phone is wide has to be.
const mostInOnePiece = 28;
for (const code of document.querySelectorAll(":not(pre) > code, samp, kbd, .command, .env, .file, .option")) {
  if (!code.closest("pre") && code.textContent.length <= mostInOnePiece) code.classList.add("short");
}
