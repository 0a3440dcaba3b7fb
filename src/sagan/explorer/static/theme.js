// Light or dark: as the system has it, or as a person chose.

/** Let a button go through the looks, and take up the one that was chosen last. */
export function bindTheme(button) {
  const themes = { "": ["◐", "as the system has them"], light: ["☀", "light"], dark: ["☾", "dark"] };
  const apply = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    button.textContent = themes[theme][0];
    button.setAttribute("aria-label", `Colours: ${themes[theme][1]}`);
  };
  const stored = localStorage.getItem("theme") ?? "";
  apply(stored in themes ? stored : "");
  button.addEventListener("click", () => {
    const names = Object.keys(themes);
    const next = names[(names.indexOf(document.documentElement.dataset.theme ?? "") + 1) % names.length];
    localStorage.setItem("theme", next);
    apply(next);
  });
}
