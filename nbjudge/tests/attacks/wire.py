"""Submissions that find the socket to the judge in their own process, and speak on it instead of the engine's code.

Nothing in that process is trusted, so all of it may be replaced: here each answer is.
"""

from .corpus import Attack, cheat, liar
from .course import WRONG

FIND = """import nbjudge.judge.rpc_server as there, json, struct, time, threading
def packed(tree, *buffers, text=None):
    text = json.dumps(tree).encode() if text is None else text
    sizes = b''.join(struct.pack('<Q', len(b)) for b in buffers)
    return struct.pack('<II', len(text), len(buffers)) + sizes + text + b''.join(buffers)
def reply(value, *buffers, changed=(), **more):
    return packed({'value': value, 'changed': list(changed), 'printed': '', 'complained': '', **more}, *buffers)
def speak(say):
    def answer(self, request, buffers):
        said = say(self, request) if callable(say) else say
        if said is not None:
            self.connection.sendall(said)
    there.RpcServer.answer = answer
"""
FUNCTION = "{'object': [0, {'classes': ['builtins:function'], 'callable': True, 'name': 'mean', 'parameters': []}]}"
ARRAY = "{{'array': [{dtype!r}, {shape}, 'C', True, {place}]}}"
ASKED_FOR = "{'object': [0, {'classes': ['__main__:Account'], 'callable': True, 'name': 'x', 'parameters': None}]}"


def says(name: str, code: str) -> Attack:
    """Return a cheat that answers every call with the frame `code` evaluates to."""
    return cheat(name, f"{FIND}speak({code})")


def does(name: str, code: str) -> Attack:
    return cheat(name, FIND + code)


def first_a_function(name: str, then: str) -> Attack:
    """Return a cheat that names functions when it is asked for names, and answers calls of them with `then`."""
    return says(name, f"lambda self, request: reply({FUNCTION}) if request['call'] == 'operator:getitem' else ({then})")


def array(name: str, dtype: object, shape: object, place: object = 0, buffer: str = "b'x' * 8") -> Attack:
    tree = ARRAY.format(dtype=dtype, shape=shape, place=place)
    return first_a_function(f"array {name}", f"reply({tree}, {buffer})")


ATTACKS = [
    # frames
    says("nothing", "None"),
    says("hang up", "lambda self, request: self.connection.close()"),
    says("half a head", "b'12345'"),
    says("head only", "struct.pack('<II', 100, 0)"),
    says("large tree announced", "struct.pack('<II', 2**32 - 1, 0)"),
    says("many buffers announced", "struct.pack('<II', 2, 2**32 - 1)"),
    says("large buffer announced", "struct.pack('<IIQ', 2, 1, 2**64 - 1) + b'{}'"),
    says("buffer that does not come", "struct.pack('<IIQ', 2, 1, 200 << 20) + b'{}'"),
    says(
        "one byte in a while",
        "lambda self, request: [self.connection.sendall(b'\\0') or time.sleep(1) for _ in range(60)] and None",
    ),
    says("answer twice", "reply(4) * 2"),
    says("answer a hundred times", "reply(True) * 100"),
    says("flood", "b'x' * (64 << 20)"),
    says("flood of spaces", "packed(None, text=b' ' * (4 << 20))"),
    # trees
    says("not JSON", "packed(None, text=b'{')"),
    says("not UTF-8", "packed(None, text=b'\"\\xff\\xfe\"')"),
    says("NaN in a frame", 'packed(None, text=b\'{"value": NaN, "changed": [], "printed": "", "complained": ""}\')'),
    says(
        "infinity in a frame", 'packed(None, text=b\'{"value": 1e999, "changed": [], "printed": 1, "complained": 2}\')'
    ),
    says("deep nesting", "packed(None, text=b'[' * 200_000 + b']' * 200_000)"),
    says("deep lists", "packed(None, text=b'{\"value\": ' + b'{\"list\": [' * 900 + b'1' + b']}' * 900 + b'}')"),
    says("long number in a frame", "packed(None, text=b'{\"value\": ' + b'9' * 1_000_000 + b'}')"),
    says("keys twice in a frame", 'packed(None, text=b\'{"value": 1, "value": 4}\')'),
    says("a list in a frame", "packed([4])"),
    says("null in a frame", "packed(None)"),
    says("empty tree", "packed({})"),
    says("value only", "packed({'value': 4})"),
    says("error and value", "reply(4, error={'classes': [], 'message': 'x', 'line': '', 'trace': ''})"),
    says("error of no class", "packed({'error': None, 'printed': '', 'complained': ''})"),
    says(
        "error that passes",
        "packed({'error': {'classes': ['builtins:SystemExit', 'builtins:BaseException'], 'message': "
        "'0', 'line': '', 'trace': ''}, 'printed': '', 'complained': ''})",
    ),
    says(
        "error with a name",
        "packed({'error': {'classes': ['builtins:StopIteration', '__class__', 'os:system'], "
        "'message': {}, 'line': 4, 'trace': []}, 'printed': '', 'complained': ''})",
    ),
    says("long print", "reply(4, printed='4\\n' * 1_500_000)"),
    says("print no text", "reply(4, printed={'a': 1})"),
    # tags
    says("unknown tag", "reply({'pickle': 'x'})"),
    says("two tags", "reply({'list': [], 'tuple': []})"),
    says("no tag", "reply({})"),
    says("function tag", "reply({'function': 0})"),
    says("instance tag", "reply({'instance': ['builtins:object', {}]})"),
    says("known system", "reply({'known': 'os:system'})"),
    says("known any", "reply({'known': 'unittest.mock:ANY'})"),
    says("known exec", "reply({'known': 'builtins:exec'})"),
    says("known bool", "reply({'known': 'builtins:bool'})"),
    says("known type of all", "reply({'known': 'numpy:ufunc'})"),
    says("known main", "reply({'known': '__main__:expected'})"),
    says("negative object", "reply({'object': [-1, {}]})"),
    says("object true", "reply({'object': [True, {'classes': ['builtins:bool']}]})"),
    says("object of many classes", "reply({'object': [0, {'classes': ['numpy:ndarray', 'builtins:float'] * 10_000}]})"),
    says("object of classes that are none", "reply({'object': [0, {'classes': 7, 'parameters': 'x', 'callable': 1}]})"),
    says(
        "parameters of an object",
        "reply({'object': [0, {'classes': ['builtins:function'], 'callable': True, 'parameters': "
        "[['x', 99, None]] * 100}]})",
    ),
    says(
        "class that is asked for",
        f"lambda self, request: reply({ASKED_FOR}) if not str(request['call'])"
        ".startswith('operator:') or request['call'] == 'operator:getitem' else reply(True)",
    ),
    says("bytes as pickle", "reply({'bytes': 0}, __import__('pickle').dumps(exit))"),
    says("named tuple of keywords", "reply({'namedtuple': ['__import__(\"os\")', ['__class__', '__eq__'], [1, 2]]})"),
    says("named tuple that compares", "reply({'namedtuple': ['x', ['shape', 'mean'], [{'tuple': [4]}, 0]]})"),
    says(
        "random generator",
        "reply({'random': ['MT19937', {'dict': [['state', {'dict': [['key', {'list': []}], ['pos', 10**9]]}]]}]})",
    ),
    says("random generator of no kind", "reply({'random': ['__class__', None]})"),
    says("huge range in a frame", "reply({'range': [0, 2**62, 1]})"),
    says("set of lists", "reply({'set': [{'list': []}]})"),
    says("scalar of objects", "reply({'scalar': {'array': ['|O', [], 'C', True, 0]}}, bytes(8))"),
    says("tensor of objects", "reply({'tensor': {'array': ['|O', [1], 'C', True, 0]}}, bytes(8))"),
    says("dtype of objects", "reply({'dtype': '|O'})"),
    says("ml_dtypes name", "reply({'dtype': {'ml_dtypes': '__loader__'}})"),
    array("of objects", "|O", [1]),
    array("negative", "<f8", [-1]),
    array("of negative sizes", "<f8", [-1, -1]),
    array("of fractions", "<f8", [0.5]),
    array("too large", "<f8", [1 << 61, 1 << 61]),
    array("too short", "<f8", [1000]),
    array("at no place", "<f8", [1], -1),
    array("at place true", "<f8", [1], True),
    array("of no bytes", "|V0", [1 << 40]),
    array("of nothing", "<f8", [0, 1 << 61], buffer="b''"),
    array("of many axes", "<f8", [1] * 64),
    array("dtype with code", "f8,(9999999999,)f8", [1]),
    array("dtype nested", [["a", [["b", "|O"]]]], [1]),
    array("dtype with a shape", [["a", "<f8", [1 << 40]]], [1]),
    array("not a number", "<f8", [1], buffer="struct.pack('<d', float('nan'))"),
    array("not a time", "<M8[s]", [1], buffer="struct.pack('<q', -2**63)"),
    array("that is no truth value", "|b1", [8], buffer="b'\\x02' * 8"),
    # what was changed, and calling back
    first_a_function("changed many", "reply(-1, changed=[[n, {'list': []}] for n in range(10_000)])"),
    first_a_function("changed minus one", "reply(-1, changed=[[-1, {'list': []}]])"),
    first_a_function("changed by name", "reply(-1, changed=[['heights', {'list': []}]])"),
    first_a_function("changed to nothing", "reply(-1, changed=[[0, None]])"),
    first_a_function("changed attributes", "reply(-1, changed=[[0, {'instance': {'dict': [['__class__', 1]]}}]])"),
    first_a_function("changed to everything", "reply(-1, changed=[[0, {'list': [0] * 100_000}]] * 10)"),
    says("call back", "packed({'back': 0, 'arguments': {'list': [{'list': []}, {'dict': []}]}})"),
    says("call back minus one", "packed({'back': -1, 'arguments': {'list': [{'list': []}, {'dict': []}]}})"),
    says(
        "call back by name", "packed({'back': '__import__', 'arguments': {'list': [{'list': ['os']}, {'dict': []}]}})"
    ),
    says(
        "call back for ever",
        "lambda self, request: [self.connection.sendall(packed({'back': 0, 'arguments': {'list': "
        "[{'list': []}, {'dict': []}]}})) for _ in range(10_000)] and None",
    ),
    # the engine's names in this process
    does("pack replaced", "there.pack = lambda tree, buffers: reply(4)"),
    does(
        "receive replaced",
        "there.receive = lambda connection: ({'call': 'builtins:int', 'arguments': {'list': [{'list': "
        "[4]}, {'dict': []}]}}, [])",
    ),
    does("encoder replaced", "there.Encoder.tree = lambda self, value, depth=0: 4"),
    does(
        "encoder lies about classes",
        "there.describe_object = lambda value: {'classes': ['builtins:float'], 'callable': True, 'name': "
        "'mean', 'parameters': None}",
    ),
    does("known names", "there.known_name = lambda value: 'builtins:print'"),
    does("serve returns at once", "there.RpcServer.serve = lambda self: None"),
    does("serve raises", "def serve(self):\n    raise KeyboardInterrupt\nthere.RpcServer.serve = serve"),
    does("serve never returns", "there.RpcServer.serve = lambda self: time.sleep(60)"),
    does(
        "other socket at the path",
        "import os, socket\nservice = there.service\npath = service.waiting.getsockname()\n"
        "os.unlink(path)\nother = socket.socket(socket.AF_UNIX)\nother.bind(path)\nother.listen(1)",
    ),
    does(
        "file at the path",
        "import os\npath = there.service.waiting.getsockname()\nos.unlink(path)\nopen(path, 'w').close()",
    ),
    does("socket closed", "there.service.waiting.close()"),
    does(
        "names replaced",
        "there.service.objects[0] = type('All', (dict,), {'__missing__': lambda s, n: 4, '__getitem__': "
        "lambda s, n: 4})()",
    ),
    does(
        "module removed",
        "import sys\nfor name in [n for n in sys.modules if n.startswith('nbjudge')]:\n    del sys.modules[name]",
    ),
    does(
        "expected values from requests",
        "old = there.RpcServer.answer\ndef answer(self, request, buffers):\n"
        "    print(request)\n    return old(self, request, buffers)\nthere.RpcServer.answer = answer\n"
        "def mean(values):\n    return values",
    ),
    liar(
        "account that equals",
        "Account()",
        "class Liar:\n    balance, owner = 5, 'Ada'\n    __eq__ = __lt__ = __gt__ = "
        "lambda self, other: True\n    __sub__ = __abs__ = __rsub__ = __getattr__ = lambda self, *a: self\n",
    ),
    Attack(
        "numbers of the class that is asked for",
        WRONG
        | {
            "mean": "class Account:\n    __eq__ = __lt__ = lambda self, other: True\n"
            "    __sub__ = __abs__ = lambda self, *a: self\nNumber = Account\n"
            "def mean(values):\n    return Number()",
            "largest": "def largest(values):\n    return Number()",
        },
    ),
]
