"""Forged displays and results: what is printed or shown in the hope that the grader takes it for its own."""

from .corpus import cheat

SEND = (
    "kernel = get_ipython().kernel\ndef forge(text):\n    kernel.session.send(kernel.iopub_socket, 'execute_result',\n"
    "        {{'data': {{'text/plain': text}}, 'metadata': {{}}, 'execution_count': 1}},\n"
    "        parent=kernel.get_parent('shell'), ident=b'execute_result')\ndef largest(values):\n"
    "    forge({!r})\n    return -1"
)
TESTS = ("mean", "normalise", "account", "windows", "largest")


def forged_in_advance(parent: str) -> str:
    return (
        "kernel = get_ipython().kernel\nfor _ in range(5):\n    kernel.session.send(kernel.iopub_socket, 'status',\n"
        f"        {{'execution_state': 'idle'}}, parent={parent}, ident=b'status')"
    )


HOOKS = {
    "forged result": SEND.format("4"),
    "forged huge result": SEND.format("1e9"),
    "forged nan": SEND.format("nan"),
    "forged infinity": SEND.format("inf"),
    "forged negative": SEND.format("-5"),
    "forged idle": forged_in_advance("kernel.get_parent('shell')"),
    "forged idle of anybody": forged_in_advance("{}"),
    "forged reply": "kernel = get_ipython().kernel\nkernel.session.send(kernel.shell_stream or kernel.shell_socket, "
    "'execute_reply', {'status': 'ok', 'execution_count': 1}, parent=kernel.get_parent('shell'))",
    "displayhook": "import sys\nsys.displayhook = type(get_ipython().displayhook).__call__ = lambda self, value=None: "
    "print('4')",
    "display pub": "get_ipython().display_pub.publish({'text/plain': '4'})\nfrom IPython.display import display\n"
    "def largest(values):\n    display({'text/plain': '4'}, raw=True)\n    return -1",
    "formatter": "f = get_ipython().display_formatter.formatters['text/plain']\n"
    "f.for_type(int, lambda o, p, c: p.text('4'))",
    "print credit": "def largest(values):\n    print('4')\n    return -1",
    "payload": "get_ipython().payload_manager.write_payload({'source': 'set_next_input', 'text': 'assert True', "
    "'replace': True})",
    "post_run_cell": "def after(result):\n    result.error_in_exec = result.error_before_exec = None\n"
    "    result.result = 4\nget_ipython().events.register('post_run_cell', after)\n"
    "get_ipython().events.register('post_execute', lambda: None)",
    "execution result class": "from IPython.core.interactiveshell import ExecutionResult\n"
    "ExecutionResult.success = property(lambda self: True)\nExecutionResult.raise_error = lambda self: None",
    "update display": "from IPython.display import display\nhandle = display('x', display_id='all')\n"
    "def largest(values):\n    handle.update(4)\n    return -1",
    "clear output": "from IPython.display import clear_output\ndef largest(values):\n    clear_output(wait=True)\n"
    "    print(4)\n    return -1",
    "script in output": "from IPython.display import HTML, display\n"
    "display(HTML('<script>document.title=\"taken\"</script><img src=x onerror=alert(1)>'))",
    "control socket": "import zmq, json\nkernel = get_ipython().kernel\nkernel.control_handlers['interrupt_request'] = "
    "kernel.control_handlers['shutdown_request'] = lambda *a: None",
    "comm": "from comm import create_comm\ncreate_comm(target_name='jupyter.widget', data={'state': {'_model_name': "
    "'x' * 100000}}, buffers=[b'x' * 100000])",
    "interactivity": "get_ipython().ast_node_interactivity = 'none'\nget_ipython().show_rewritten_input = False",
    "quiet displayhook": "type(get_ipython().displayhook).quiet = lambda self: True",
}

ATTACKS = [cheat(name, code) for name, code in HOOKS.items()]
