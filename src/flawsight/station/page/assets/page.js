// Keys press what carries them; what a person chose stays in the browser.
function remember(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=strict`;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.isComposing) return;
  const at = event.target;
  if (at.closest("input, textarea, select, [contenteditable], .q-slider")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key.toLowerCase();
  if (key === "enter" && at.closest("button, a")) return;
  if (document.querySelector(".q-dialog")) return;
  const found = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!found || found.disabled) return;
  event.preventDefault();
  found.click();
});

document.addEventListener("change", (event) => {
  const at = event.target;
  if (at.matches("[data-goto]")) location.href = at.value;
  if (at.matches("[data-theme]")) {
    remember("flawsight_theme", at.value);
    Quasar.Dark.set(at.value === "system" ? "auto" : at.value === "dark");
  }
});

