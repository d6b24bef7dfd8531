// The kernel loads this file as Pyodide. It loads Pyodide from its usual location and adds the course's packages to the
// list of those that Pyodide loads when they are imported.
(() => {
  const PYODIDE = 'https://cdn.jsdelivr.net/pyodide/v0.27.7/full/';
  const HERE = self.location.href.replace(/\/extensions\/.*/, '/static/');

  try {
    importScripts(PYODIDE + 'pyodide.js');
  } catch (error) {
    throw new Error(`Python could not be loaded from ${PYODIDE} (${error.message}). Check the network and reload.`);
  }

  const load = self.loadPyodide;

  self.loadPyodide = async options => {
    const lists = [PYODIDE + 'pyodide-lock.json', HERE + 'packages.json'];
    const [lock, course] = await Promise.all(lists.map(async address => (await fetch(address)).json()));
    for (const [name, entry] of Object.entries(course)) {
      lock.packages[name] = { ...entry, file_name: HERE + entry.file_name };
    }
    const lockFileURL = URL.createObjectURL(new Blob([JSON.stringify(lock)], { type: 'application/json' }));
    return load({ ...options, indexURL: PYODIDE, lockFileURL });
  };
})();
