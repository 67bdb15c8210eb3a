"""INI inventories written by hand: a name, and the files.

The source is hosts.ini, unless `# -i` names others (see by_hand.py).
"""
# ruff: noqa: E501  (a case of one line is one line)

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from tests.oracle import by_hand


def lay_out(text: str, folder: Path) -> list[Path]:
    """Write the files of one inventory into a folder and return its sources."""
    text = dedent(text).lstrip("\n")
    if "# file " not in text:
        text = f"# -i hosts.ini\n# file hosts.ini\n{text}"
    return by_hand.lay_out(text, folder)


CASES: dict[str, str] = {
    # --- hosts and groups
    "one host": "a\n",
    "no line break at the end": "[web]\na",
    "carriage returns": "[web]\r\na x=1\r\n[web:vars]\r\ny = 2\r\n",
    "hosts before a section": "a\nb\n[web]\nb\nc\n",
    "a section that is said twice": "[web]\na\n[db]\nb\n[web]\nc\na x=1\n",
    "hosts as the kind of a section": "[web:hosts]\na\nb\n",
    "ungrouped by name": "[ungrouped]\na\nb\n[web]\nb\n",
    "all by name": "[all]\na\nb\n[web]\nb\n",
    "an empty section": "[web]\n[db]\na\n",
    "only a section": "[web]\n",
    "only a comment": "# nothing\n; here\n",
    "children": "[web]\na\n[db]\nb\n[prod:children]\nweb\ndb\n",
    "children before their sections": "[prod:children]\ndb\nweb\n[web]\na\n[db]\nb\n",
    "children in two parts": "[p:children]\nlater\nweb\n[web]\na\n[p:children]\nlast\n[later]\nb\n[last]\nc\n",
    "children of children": "[top:children]\nmid\n[mid:children]\nlow\n[low]\na\n[other]\nb\n",
    "children that have only children": "[top:children]\nmid\n[mid:children]\nlow\n[low:children]\n",
    "two parents": "[p:children]\nc\n[q:children]\nc\n[c]\nh\n",
    "a diamond": "[t:children]\nl\nr\n[l:children]\nb\n[r:children]\nb\n[b]\nh\n",
    "a child with a comment": "[p:children]\nweb # the servers\ndb# and this\n[web]\na\n[db]\nb\n",
    "a section with a comment": "[web] # servers\na\n[db]# more\nb\n",
    "a section that is indented": "  [web]  \n   a x=1  \n\t b\n",
    "a hyphen in a group": "[web-servers]\na\n[web-servers:vars]\nv=1\n",
    "dots and digits in groups": "[10.0]\na\n[v1.2:children]\n10.0\n",
    "letters of other languages": "[grüppe]\nhöst x=ü\n[grüppe:vars]\ny =日本語\n",
    "a group with the name of its host": "[chat.example.com]\nchat.example.com x=1 ansible_host=10.0.0.1\n",
    "a group with the name of a host of others": "[a]\nb x=1\n[c]\na x=2\nb y=3\n",
    "a group that comes after its host": "a x=1\n[web]\na y=2\n[a]\na z=3\nb\n",
    "a host in three groups": "[x]\na v=1\n[y]\na v=2\n[z]\na\nb\n",
    # --- names of hosts
    "ranges": "[web]\nweb[1:3].x v=1\ndb-[a:c]\nn[01:05:2]\n[01:03]-m\n",
    "a range twice": "[web]\nw[1:3] v=1\nw2 v=2\nw[1:3] w=3\nw[2:3] v=4\n",
    "two ranges": "r[1:2]-[a:b]\n",
    "ports": "[web]\na:2222\nb:22 x=1\nm[1:2]:2200\n",
    "a port counts once": "a:2222\n[web]\na:23\nb\n[db]\nb:24\n",
    "a port and a variable": "a:2222 ansible_port=22\n",
    "IPv4": "10.0.0.7 x=1\n10.0.0.8:2222\n",
    "IPv6": "2001:db8::1 x=1\n[2001:db8::2]:2222 x=2\nfe80::1\n::1\n",
    "a quoted host": "[web]\n\"a\" x=1\n'b'\nc\\d\n",
    "an underscore": "web_1 x=1\n_web\n",
    # --- comments
    "comments at the start of a line": "# one\n; two\n   # three\n\t; four\na\n#[web]\nb\n",
    "comments after hosts": "a # ansible_host=1\nb x=1 # y=2\nc x=1# y=2\n",
    "a hash inside a value": "a x=1#2 y=3\nb x='1#2' y=3\nc x=\\#1\n",
    "a semicolon inside a value": "a x=1;2 y=;3\n",
    "comments after variables": "[all:vars]\na = 1 # one\nb = one # one\nc = 'one' # one\nd=#x\ne = [1] # one\nf=1;2\n[w]\nh\n",
    "words in Latin 1": "a\n",
    # --- quotes on a line with a host
    "double quotes": 'a x="one two" y="" z="1"\n',
    "single quotes": "a x='one two' y='' z='1'\n",
    "both quotes": "a x='\"one two\"' y=\"'1'\" z='\"1\"' w=\"''\"\n",
    "quotes around all": "a \"x=one two\" 'y=[1, 2]'\n",
    "quotes inside a word": "a x=one\" \"two y=o'n'e\n",
    "backslashes": 'a x=one\\ two y=\\\\n z="a\\\\nb" w=\'a\\nb\' v="\\$x \\z"\n',
    "no value": "a x= y=\"\" z=''\n",
    "equals in a value": "a x=a=b y==b z=a=\n",
    "a list and a mapping": 'a x=\'[1, "b", None]\' y=\'{"k": {"l": [1.5, True]}}\' z=[1,2] w={1:2}\n',
    "a list without quotes": 'a x=[a,b] y=["a","b"] z={"a":1}\n',
    "spaces before a value": "a x=' 12' y=' [1]' z=' True '\n",
    "a variable twice on a line": "a x=1 x=2\n",
    "a host twice": "[w]\na x=1 y=1\na x=2\n[v]\na z=3 y=4\n",
    "a mapping twice": '[w]\na x=\'{"k": 1, "l": 1}\'\n[v]\na x=\'{"l": 2}\'\n',
    "tabs": "[w]\na\tx=1\t\ty=2\n",
    "a URL": "a x=https://e.x:80/?a=b&c=d y=user@host\n",
    "a path": "a ansible_ssh_private_key_file=~/.ssh/key ansible_python_interpreter=/usr/bin/python3\n",
    "options of ssh": "a ansible_ssh_common_args='-o ProxyCommand=\"ssh -W %h:%p jump\"' ansible_user=ops\n",
    "a template": "a x='{{ inventory_hostname }}' y=\"{{ x }}-{{ x | upper }}\" z={{x}}\n",
    "words for numbers": "a ansible_port='22' ansible_user=0012 x=1_000 y=0x1F z=0b11 w=0o17\n",
    "become": "a ansible_become=yes ansible_become_user=zulip\nb ansible_become=True ansible_become_pass='\"12345\"'\nc ansible_become=false\nd ansible_become=0\n",
    "a password that is a number": "a ansible_password=0123 ansible_become_pass='1e3'\nb ansible_password=1234\n",
    # --- variables of groups
    "variables": "[web]\na\n[web:vars]\nx=1\ny = two words \nz   =   [1, 2]\n",
    "variables of all": "[web]\na\n[all:vars]\nx=all\ny=all\n[web:vars]\nx=web\n",
    "variables of ungrouped": "a\n[ungrouped:vars]\nx=1\n",
    "variables before the section": "[web:vars]\nx=1\n[web]\na\n",
    "variables of a group of children": "[p:vars]\nx=1\n[p:children]\nc\n[c]\na\n",
    "variables of a child before it": "[p:children]\nc\n[c:vars]\nx=1\n[q:children]\nc\n[c]\na\n",
    "a variable twice": "[w]\na\n[w:vars]\nx=1\nx=2\n[w:vars]\ny=3\n",
    "quotes in variables": '[w]\na\n[w:vars]\na1="one"\nb1=\'one two\'\nc1=\'it\\\'s\'\nd1="one" "two"\ne1=\'one\nf1="""x"""\ng1=\'\'\nh1=one "two"\n',
    "no value of a variable": "[w]\na\n[w:vars]\nx=\ny =   \n",
    "equals in a variable": "[w]\na\n[w:vars]\nx=a=b\ny==\nz=a == b\n",
    "colons in a variable": "[w]\na\n[w:vars]\nx=a: b\ny=1:2\nz={\"a\": 1}\nw={'a': b}\n",
    "JSON words": '[w]\na\n[w:vars]\nx={"a": true}\ny=[null]\nz=true\n',
    "mappings and lists": "[w]\na\n[w:vars]\nx={'acme': {'idp': 'okta'}, '': {}}\ny=[{'a': (1, 2)}, set()]\nz=(1,)\nv=()\nu=1, 2\n",
    "keys that are no text": "[w]\na\n[w:vars]\nx={1: 'a', None: 2, 1.5: 3}\n",
    "a template in variables": "[w]\na\n[w:vars]\nx={{ inventory_hostname }}\ny={{ x }}!\nz='{{ x }}'\n",
    "variables with a hyphen": "[w]\na x-y=1\n[w:vars]\nz-z=2\n",
    "a name with spaces": "[w]\na\n[w:vars]\nx y = 1\n",
    "priority": "[a]\nh\n[b]\nh\n[a:vars]\nv=a\nansible_group_priority=10\n[b:vars]\nv=b\n",
    "what the inventory has for Zulip": "[zulip]\nchat1.example.com ansible_host=10.0.0.5\nchat2.example.com ansible_port=2222 scim_verify=False\n[zulip:vars]\nansible_user=zulip\nscim_idp=okta\nscim_realms={'': {}, 'acme': {'idp': 'entra'}}\n",
    # --- after public reports
    "ansible 25778: yes and no": "host1 doecho=true\nhost2 doecho=yes\n",
    "ansible 9426: yes in a section": "[network]\nnode001\n[network:vars]\noptimized_config=yes\n",
    "ansible 86229: FALSE and False": "[w]\na x=FALSE y=False\n[w:vars]\nz=FALSE\nv=False\n",
    "ansible 25784: spellings of false": "a s=False\nb s=FALSE\nc s=false\nd s=no\ne s=0\nf s=true\n",
    "ansible 6147: a hash in a password": "localhost ansible_ssh_pass=123#456 ansible_ssh_user=test\n",
    "ansible 8137: a password that ends in a hash": "server ansible_ssh_port=2222 ansible_su_pass=th!s-P4ssw0rd# ansible_ssh_user=me\n",
    "ansible 7053: a hash in quotes": '[bar]\nbar-a ansible_ssh_user=foo ansible_ssh_port=22 ansible_sudo_pass="foobar#12345"\n',
    "ansible 69066: a password with a dot": "[t]\na x='123456.'\n[u]\nb\n[u:vars]\nx='123456.'\n",
    "ansible 973: a value with a space": '[local]\n127.0.0.1 person="John Q"\n',
    "ansible 6012: base64": 'neptun auth="YWRtaW46YWRtaW4="\n[w]\na\n[w:vars]\nkey=ssh-rsa AAAA== me@here\n',
    "ansible 52002: a file without an ending": "# -i production\n# file production\n# It is suggested\n\n###\n### cross-fire.org\n###\n\n# servers\n[cross-fire-servers]\ncrossfire.example.com\n",
    "ansible 39562: .ini in a folder": "# -i inv\n# file inv/hosts.ini\n[web]\na\n# file inv/group_vars/web.yml\nx: 1\n",
    "ansible 4268: structures and text": "[w]\na\n[w:vars]\ndict = { 'bar': 23 }\nstr = \"True\"\nbool = True\n",
    "vagrant 9741: a generated inventory": "# Generated by Vagrant\n\ncentos-test ansible_host=192.168.33.10 ansible_port=22 ansible_user='vagrant' ansible_ssh_private_key_file='/home/me/.vagrant/key' proxy_host=false pretty_name=Centos\n\n[deploy]\ncentos-test\n",
    # --- several files
    "variable files": """
        # -i hosts.ini
        # file hosts.ini
        [web]
        a v=inline
        b
        [web:vars]
        w=inline
        x=inline
        # file group_vars/web.yml
        w: file
        # file group_vars/all
        x: all
        y: 'all'
        # file host_vars/a.yml
        v: file
        """,
    "INI and YAML": """
        # -i one.ini two.yml three
        # file one.ini
        [web]
        a v=1
        # file two.yml
        web: {hosts: {b: {v: two}}, vars: {w: 2}}
        # file three
        [web:vars]
        w=3
        [top:children]
        web
        """,
    "a group of another file": """
        # -i one.ini two.ini
        # file one.ini
        [web]
        a
        # file two.ini
        [web:vars]
        x=1
        [p:children]
        web
        """,
    "a folder": """
        # -i inv
        # file inv/01-hosts
        [web]
        a
        # file inv/02.ini
        [db]
        b x=1
        # file inv/ansible.cfg
        [defaults]
        # file inv/group_vars/db.yml
        y: 2
        """,
    # --- which file is INI
    "a name without an ending": "# -i hosts\n# file hosts\n[web]\na x=1\n",
    "a name without an ending, YAML": "# -i hosts\n# file hosts\nweb: {hosts: {a: {x: yes}}}\n",
    "a name without an ending, JSON": '# -i hosts\n# file hosts\n{"web": {"hosts": {"a": {"x": true}}}}\n',
    "a list of hosts": "# -i hosts\n# file hosts\na\nb\nc\n",
    "one host without an ending": "# -i hosts\n# file hosts\na\n",
    "one section without an ending": "# -i hosts\n# file hosts\n[web]\n",
    "only a comment without an ending": "# -i hosts\n# file hosts\n# nothing\n",
    "a host with a port": "# -i hosts\n# file hosts\na:2222\n",
    "any other ending": "# -i web.example.com inv.lab x.conf\n# file web.example.com\n[web]\na\n# file inv.lab\n[web:vars]\nx=1\n# file x.conf\nb\n",
    "INI in hosts.yml": "# -i hosts.yml\n# file hosts.yml\n[web]\na x=1\n[web:vars]\ny=2\n",
    "a list of hosts in hosts.yml": "# -i hosts.yml\n# file hosts.yml\na\nb\n",
}

REFUSED: dict[str, str] = {
    "ansible 30586: YAML in a file for INI": "all:\n  hosts:\n  children:\n    world0:\n      vars:\n        ansible_user: root\n",
    "ansible 25321: YAML with a comment": "all: # keys must be unique\n    hosts:\n        test1:\n",
    "hkube 1: a word too many": "[kube]\nnode1 10.0.0.1\n",
    "a quote that is not closed": "a x='b\n",
    "a backslash at the end": "a x=b\\\n",
    "a word without a value": "a x\n",
    "spaces around the equals sign": "a x = 1\n",
    "a template with spaces": "a x={{ y }}\n",
    "a semicolon after a host": "a ; comment\n",
    "a semicolon after a section": "[web] ; comment\na\n",
    "an unknown kind": "[web:var]\nx=1\n",
    "spaces in a section": "[web servers]\na\n",
    "two kinds": "[web:children:vars]\na\n",
    "nothing in a section": "[]\na\n",
    "a variable without a value": "[web]\na\n[web:vars]\nx\n",
    "a colon in variables": "[web]\na\n[web:vars]\nx: 1\n",
    "variables of nothing": "[web]\na\n[db:vars]\nx=1\n",
    "children of nothing": "[web:children]\ndb\n",
    "a child with variables": "[web]\na\n[p:children]\nweb x=1\n",
    "its own child": "[web:children]\nweb\n",
    "a circle": "[a:children]\nb\n[b:children]\na\n",
    "YAML": "all:\n  hosts:\n    a:\n",
    "the start of YAML": "---\nall: x\n",
    "a colon after a host": "a:\n",
    "a wrong range": "web[1-3]\n",
    "an open range": "web[1:3\n",
    "a set of lists": "[w]\na\n[w:vars]\nx={{1: 2}}\n",
    "a template with only a text": "[w]\na\n[w:vars]\nx={{ 'a' }}\n",
    "a byte order mark": "\ufeff[web]\na\n",
    "an IPv6 address in brackets": "[2001:db8::1]\n",
    "no name": 'a =x\n"" x=1\n',
    "a text of bytes": "[w]\na\n[w:vars]\nx=" + "-" * 10_000 + "1\n",
}
"""Inventories that both programs refuse."""

VALUES = (
    *("true", "True", "TRUE", "false", "False", "yes", "no", "on", "null", "None", "none", "~", ""),
    *(
        "1",
        "-1",
        "+1",
        "01",
        "0022",
        "0",
        "00",
        "1_000",
        "0x1F",
        "0o17",
        "0b11",
        "1e3",
        "1.5",
        ".5",
    ),
    *("5.", "1.2.3", "10.0.0.1", "1:30", "12:30:45", "2024-02-29", "2024-10-12", "1e999", "inf"),
    *(
        "nan",
        "1j",
        "1+2j",
        "1-2",
        "1+1",
        "-1-1j",
        "--1",
        "not 1",
        "~1",
        "1 2",
        "1, 2",
        "(1)",
        "(1,)",
    ),
    *("'a'", '"a"', "'a", "a'", "''", "'a' 'b'", "'a''b'", "'''a'''", "u'a'", "b'a'", "r'\\d'"),
    *("rb'a'", "f'a'", "'\\n'", "'\\x41'", "'\\u00e9'", "'\\d'", "\\n", "b'caf\\xc3\\xa9'"),
    *("[]", "[1]", "[1, 'a']", "[a]", "[1", "{}", "{'a': 1}", "{a: 1}", "{1, 2}", "{1}", "set()"),
    *(
        "dict()",
        "{**{}}",
        "[*[1]]",
        "...",
        "[...]",
        "{'a': ...}",
        "x = 1",
        "a.b",
        "f()",
        "lambda: 1",
    ),
    *(
        "[i for i in 'a']",
        "1 if 1 else 2",
        "'a' + 'b'",
        "'a' 1",
        "# a",
        "1 # a",
        "'a' # b",
        "a # b",
    ),
    *("'a' ; b", "!vault x", "!unsafe x", "'{{ 1 }}'", "{{ 1 + 1 }}", "[true]", "\xa01"),
    *("é", "'é'", "日本", "1\u00b2", "٣", "True # x", "None ", "(None)", "[None, True, 1.0, -2]"),
    *(
        "{'k': (1, [2, {3}])}",
        "-'a'",
        "+True",
        "'%s' % 1",
        "`a`",
        "a\\",
        "$x",
        "%h",
        "@a",
        "&a",
        "*",
    ),
)
"""Values for `[group:vars]`, and quoted on a line with a host."""
