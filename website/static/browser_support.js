// Say it where a lesson is started when this browser cannot run Python.
document.addEventListener('DOMContentLoaded', () => {
  if (typeof WebAssembly === 'object') {
    return;
  }
  for (const button of document.querySelectorAll('a.start-button.in-browser')) {
    const sentence = document.createElement('strong');
    sentence.textContent = 'This browser has no WebAssembly, so it cannot run Python. Use another one, or your machine.';
    button.replaceWith(sentence);
  }
});
