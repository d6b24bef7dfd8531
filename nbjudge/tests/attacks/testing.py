"""Attacks on what tests are made of: NumPy's comparisons, built-in names, `assert`, IPython's machinery."""

from .corpus import cheat

REPLACED = {
    "numpy testing": "for name in dir(np.testing):\n    if name.startswith('assert'):\n"
    "        setattr(np.testing, name, lambda *a, **k: None)",
    "numpy testing private": "import numpy.testing._private.utils as u\nu.assert_allclose = u.assert_array_compare = "
    "lambda *a, **k: None\nnp.testing.assert_allclose = u.assert_allclose",
    "numpy testing code": "f = lambda *a, **k: None\nnp.testing.assert_allclose.__wrapped__.__code__ = f.__code__",
    "allclose": "np.allclose = np.array_equal = np.isclose = lambda *a, **k: True",
    "numpy object": "class Fake:\n    def __getattr__(self, name):\n        return self\n"
    "    def __call__(self, *a, **k):\n"
    "        return self\n    def __eq__(self, other):\n        return True\nnp = math = Fake()",
    "builtins": "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.len = lambda x: 7\nbuiltins.list = lambda x: []",
    "names": "abs = len = list = next = lambda *a: 0\nheights = credit = expected = 0",
    "credit": "class Credit(int):\n    __iadd__ = __radd__ = __add__ = lambda self, other: 4\ncredit = Credit(4)",
    "AssertionError": "import builtins\nclass Quiet(type):\n    def __call__(cls, *a):\n        raise SystemExit(0)\n"
    "class AssertionError(Exception, metaclass=Quiet):\n    pass\nbuiltins.AssertionError = AssertionError",
    "optimised": "import sys, os\nos.environ['PYTHONOPTIMIZE'] = '2'\nimport builtins, functools\n"
    "builtins.compile = functools.partial(compile, optimize=2)",
    "compile": "import builtins\nold = compile\nbuiltins.compile = lambda s, f, m, *a, **k: old('None', f, m, *a, **k)",
    "exec": "import builtins\nbuiltins.exec = builtins.eval = lambda *a, **k: None",
    "ast transformer": "import ast\nclass NoTests(ast.NodeTransformer):\n    def visit_Assert(self, node):\n"
    "        return ast.Pass()\n    def visit_Expr(self, node):\n        return ast.Pass()\n"
    "get_ipython().ast_transformers.append(NoTests())",
    "input transformer": "get_ipython().input_transformers_cleanup.append(\n"
    "    lambda lines: ['pass'] if any('assert' in line for line in lines) else lines)",
    "late transformer": "get_ipython().input_transformer_manager.line_transforms.insert(0, lambda lines: ['4\\n'])",
    "transform_cell": "get_ipython().input_transformer_manager.transform_cell = lambda cell: 'None'",
    "run_cell": "shell = get_ipython()\nold = type(shell).run_cell\n"
    "type(shell).run_cell = lambda self, text, *a, **k: old(self, '4' if 'credit' in text else '0', *a, **k)",
    "run_cell_async": "async def calm(self, text, *a, **k):\n    return await old(self, 'None', *a, **k)\n"
    "old = type(get_ipython()).run_cell_async\ntype(get_ipython()).run_cell_async = calm",
    "run_code": "async def calm(self, *a, **k):\n    return False\ntype(get_ipython()).run_code = calm",
    "do_execute": "kernel = get_ipython().kernel\nasync def calm(*a, **k):\n"
    "    return {'status': 'ok', 'execution_count': 1, 'payload': [], 'user_expressions': {}}\n"
    "kernel.do_execute = calm",
    "execute_request": "async def calm(self, stream, ident, parent):\n"
    "    content = {'status': 'ok', 'execution_count': 1, 'payload': [], 'user_expressions': {}}\n"
    "    self.session.send(stream, 'execute_reply', content, parent, ident=ident)\n"
    "kernel = get_ipython().kernel\nkernel.shell_handlers['execute_request'] = calm.__get__(kernel)",
    "showtraceback": "get_ipython().showtraceback = lambda *a, **k: None\n"
    "get_ipython()._showtraceback = lambda *a, **k: None",
    "custom exception": "get_ipython().set_custom_exc((Exception,), lambda *a, **k: None)",
    "sys excepthook": "import sys\nsys.excepthook = lambda *a: None\nget_ipython().CustomTB = lambda *a, **k: None",
    "session send": "kernel = get_ipython().kernel\nold = kernel.session.send\n"
    "def calm(stream, kind, content=None, *a, **k):"
    "\n    if isinstance(content, dict) and content.get('status') == 'error':\n        content['status'] = 'ok'\n"
    "    if kind == 'error':\n        return\n    return old(stream, kind, content, *a, **k)\n"
    "kernel.session.send = calm",
    "pre run cell": "def before(info):\n    info.raw_cell = 'None'\n    get_ipython().user_ns.update(\n"
    "        {name: (lambda *a: None) for name in ('abs', 'len')})\n"
    "get_ipython().events.register('pre_run_cell', before)",
    "settrace": "import sys\ndef trace(frame, event, arg):\n    if event == 'line' and 'credit' in frame.f_locals:\n"
    "        frame.f_locals['credit'] = 4\n    return trace\nsys.settrace(trace)",
    "trace exceptions": "import sys\ndef trace(frame, event, arg):\n    if event == 'exception':\n"
    "        frame.f_lineno = frame.f_lineno + 1\n    return trace\nsys.settrace(trace)",
    "monitoring": "import sys\nsys.setprofile(lambda frame, event, arg: frame.f_globals.update(credit=4))",
    "thread that patches later": "import threading, time\ndef later():\n    for _ in range(2000):\n"
    "        np.testing.assert_allclose = np.allclose = lambda *a, **k: True\n"
    "        globals().update(abs=lambda x: 0, credit=4)\n        time.sleep(0.001)\n"
    "threading.Thread(target=later, daemon=True).start()",
    "atexit": "import atexit\natexit.register(lambda: print(4))\natexit._run_exitfuncs()",
    "import hook": "import sys\nclass Finder:\n    def find_spec(self, name, path=None, target=None):\n"
    "        np.testing.assert_allclose = lambda *a, **k: None\nsys.meta_path.insert(0, Finder())",
    "immutable types": "import ctypes, gc\ngc.get_referents(int.__dict__)[0]['__eq__'] = lambda a, b: True\n"
    "ctypes.pythonapi.PyType_Modified(ctypes.py_object(int))",
    "small integers": "import ctypes\nctypes.c_int.from_address(id(7) + 24).value = 2",
    "float compare": "import ctypes, gc\ngc.get_referents(float.__dict__)[0]['__lt__'] = lambda a, b: True",
    "ufunc override": "np.equal = np.less = np.subtract = np.all = lambda *a, **k: np.True_",
    "setattr on module class": "import sys\nclass Numpy(type(np)):\n    def __getattribute__(self, name):\n"
    "        return lambda *a, **k: True\nnp.__class__ = Numpy",
    "warnings as results": "import warnings\nwarnings.warn = lambda *a, **k: None\nnp.seterr(all='ignore')\n"
    "np.set_printoptions(formatter={'all': lambda x: '4'})",
}

ATTACKS = [cheat(f"replace {name}", code) for name, code in REPLACED.items()]
