// Fit the button *Run in the browser* to this browser.
document.addEventListener('DOMContentLoaded', () => {
  for (const button of document.querySelectorAll('a.start-button.in-browser')) {
    if (typeof WebAssembly !== 'object') {
      const sentence = document.createElement('strong');
      sentence.textContent = 'This browser has no WebAssembly, so it cannot run Python. Use another one, or your machine.';
      button.replaceWith(sentence);
    } else if (window.innerWidth < 768) {
      // On a phone one notebook has the whole page; JupyterLab's side bars would leave it no room.
      button.href = button.href.replace('/lab/index.html', '/notebooks/index.html');
    }
  }
});
