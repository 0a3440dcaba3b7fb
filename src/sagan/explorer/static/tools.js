// Small things that know nothing of the page's state.

/** At most one request at a time, and always one for the last value. */
export function latest(action) {
  let running = false;
  let again = false;
  return async () => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    do {
      again = false;
      await action();
    } while (again);
    running = false;
  };
}

/** A file for the person who looks. */
export function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Text to the clipboard; the button that asked for it says so. */
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    const words = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = words), 1500);
  } catch {
    prompt("Copy this:", text);
  }
}
