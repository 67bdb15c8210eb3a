"""Inventories written by hand: a name, and the files.

`# file NAME` starts a file. The source is hosts.yml, unless `# -i` names others.
"""
# ruff: noqa: E501  (a case of one line is one line)

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

from scimconf import vault
from scimconf.secret import Secret
from tests.oracle.client import PASSWORD

_FILE = re.compile(r"^# file (\S+)\n", re.M)
_SOURCES = re.compile(r"^# -i (.+)\n", re.M)


def lay_out(text: str, folder: Path) -> list[Path]:
    """Write the files of one inventory into a folder and return its sources."""
    text = dedent(text).lstrip("\n")
    named = _SOURCES.search(text)
    if not _FILE.search(text):
        text = f"# file hosts.yml\n{text}"
    _, *parts = _FILE.split(text)
    for name, content in zip(parts[::2], parts[1::2], strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_SOURCES.sub("", content), encoding="utf-8")
        if content.startswith("#!"):
            path.chmod(0o755)
    return [folder / name for name in (named[1].split() if named else ["hosts.yml"])]


def _vault(text: str, vault_id: str, indent: int) -> str:
    sealed = vault.encrypt(Secret(text), Secret(PASSWORD), vault_id)
    return "!vault |\n" + "".join(f"{' ' * indent}{line}\n" for line in sealed.splitlines())


def _files(**texts: str) -> str:
    """Return an inventory of these files; `group_vars__all` is group_vars/all."""
    return "".join(
        f"# file {name.replace('__', '/')}{'' if '__' in name else '.yml'}\n{dedent(text)}\n"
        for name, text in texts.items()
    )


def _sealed(text: str) -> str:
    """Return the text of a file that is encrypted as a whole."""
    return vault.encrypt(Secret(dedent(text)), Secret(PASSWORD))


def _vault_json(text: str) -> str:
    return vault.encrypt(Secret(text), Secret(PASSWORD), "default").replace("\n", "\\n")


CASES: dict[str, str] = {
    # --- groups and hosts
    "one host": "all: {hosts: {a: }}",
    "only a group": "web: {hosts: {a: , b: }}",
    "a group of nothing": "web:\nall: {hosts: {a: }}",
    "a group with empty sections": "web: {hosts: , children: , vars: }\nall: {hosts: {a: }}",
    "hosts of all are ungrouped": "all: {hosts: {a: , b: }}\nweb: {hosts: {b: , c: }}",
    "ungrouped by name": "ungrouped: {hosts: {a: , b: }}\nweb: {hosts: {b: }}",
    "ungrouped below all": "all: {children: {ungrouped: {hosts: {a: }}, web: {hosts: {b: }}}}",
    "a host in three groups": "x: {hosts: {a: }}\ny: {hosts: {a: }}\nz: {hosts: {a: , b: }}",
    "hosts as one text": "web: {hosts: a}",
    "children as one text": "top: {children: web}\nweb: {hosts: {a: }}",
    "nested": "a: {children: {b: {children: {c: {hosts: {h: }}}}}}",
    "a child before its parent": "low: {hosts: {h: }}\ntop: {children: {low: }}",
    "two parents": "p: {children: {c: }}\nq: {children: {c: {hosts: {h: }}}}",
    "a diamond": "t: {children: {l: {children: {b: }}, r: {children: {b: {hosts: {h: }}}}}}",
    "hosts at each level": "a: {hosts: {x: }, children: {b: {hosts: {y: }, children: {c: {hosts: {z: , x: }}}}}}",
    "a group said twice in two files": """
        # -i one.yml two.yml
        # file one.yml
        web: {hosts: {a: {v: 1}}, vars: {w: 1}}
        # file two.yml
        web: {hosts: {b: , a: {v: 2}}, vars: {w: 2, x: 3}}
        """,
    "a child given another parent by the second file": """
        # -i one.yml two.yml
        # file one.yml
        p: {children: {c: {hosts: {h: }}}, vars: {v: p}}
        # file two.yml
        q: {children: {c: }, vars: {v: q, w: q}}
        """,
    "a host moves from ungrouped": """
        # -i one.yml two.yml
        # file one.yml
        all: {hosts: {h: , i: }}
        # file two.yml
        web: {hosts: {h: }}
        """,
    # --- precedence
    "vars of all": "all: {vars: {v: all}, hosts: {a: , b: {v: host}}}",
    "children win": "p: {vars: {v: p, w: p}, children: {c: {vars: {v: c}, hosts: {h: }}}}",
    "later names win": "b: {hosts: {h: }, vars: {v: b}}\na: {hosts: {h: }, vars: {v: a}}",
    "capitals sort first": "B: {hosts: {h: }, vars: {v: B}}\na: {hosts: {h: }, vars: {v: a}}",
    "digits sort as text": "g10: {hosts: {h: }, vars: {v: 10}}\ng9: {hosts: {h: }, vars: {v: 9}}",
    "priority": "a: {hosts: {h: }, vars: {v: a, ansible_group_priority: 10}}\nb: {hosts: {h: }, vars: {v: b}}",
    "priority as text": "a: {hosts: {h: }, vars: {v: a, ansible_group_priority: '10'}}\nb: {hosts: {h: }, vars: {v: b}}",
    "negative priority": "a: {hosts: {h: }, vars: {v: a}}\nb: {hosts: {h: }, vars: {v: b, ansible_group_priority: -1}}",
    "priority does not beat depth": "p: {vars: {v: p, ansible_group_priority: 99}, children: {c: {vars: {v: c}, hosts: {h: }}}}",
    "the longest way counts": """
        top: {children: {middle: {children: {low: {hosts: {h: }}}}, low: }}
        middle: {vars: {v: middle, ansible_group_priority: 9}}
        low: {vars: {v: low}}
        """,
    "depth given late": """
        low: {hosts: {h: }, vars: {v: low}}
        zother: {hosts: {h: }, vars: {v: other}}
        top: {children: {middle: {children: {low: }}}}
        """,
    "priority of all": "all: {vars: {v: all, ansible_group_priority: 50}}\nb: {hosts: {h: }, vars: {v: b}}",
    "priority in group_vars": """
        # file hosts.yml
        a: {hosts: {h: }}
        b: {hosts: {h: }}
        # file group_vars/a.yml
        v: a
        ansible_group_priority: 10
        # file group_vars/b.yml
        v: b
        """,
    "the last of two hosts' vars": "x: {hosts: {h: {v: 1, w: 1}}}\ny: {hosts: {h: {v: 2}}}",
    "mappings are replaced, not merged": "all: {vars: {v: {a: 1, b: 2}}}\ng: {hosts: {h: }, vars: {v: {b: 3}}}",
    "a mapping said twice for a host": "x: {hosts: {h: {v: {a: 1}}}}\ny: {hosts: {h: {v: {b: 2}}}}",
    "lists are replaced": "all: {vars: {v: [1, 2]}}\ng: {hosts: {h: }, vars: {v: [3]}}",
    "null hides": "all: {vars: {v: x}}\ng: {hosts: {h: }, vars: {v: ~}}",
    # --- group_vars and host_vars
    "vars files": """
        # file hosts.yml
        all: {vars: {v: 1, w: 1, x: 1, y: 1}}
        web: {hosts: {h: {x: 3}}, vars: {w: 2}}
        # file group_vars/all.yml
        v: all file
        w: all file
        z: all file
        # file group_vars/web.yml
        z: web file
        # file host_vars/h.yml
        y: host file
        """,
    "vars files without extension": """
        # file hosts.yml
        web: {hosts: {h: }}
        # file group_vars/web
        v: 1
        # file host_vars/h
        w: 2
        """,
    "vars files .yaml and .json": """
        # file hosts.yml
        web: {hosts: {h: }}
        # file group_vars/web.yaml
        v: 1
        # file host_vars/h.json
        {"w": [1, 1.5, true, null, "x"]}
        """,
    "which extension wins": """
        # file hosts.yml
        web: {hosts: {h: }}
        # file group_vars/web.yaml
        v: yaml
        # file group_vars/web.yml
        v: yml
        # file group_vars/web.json
        {"v": "json"}
        """,
    "vars folders": """
        # file hosts.yml
        web: {hosts: {h: }}
        # file group_vars/web/b.yml
        v: b
        # file group_vars/web/a.yml
        v: a
        w: a
        # file group_vars/web/sub/c.yml
        v: c
        # file group_vars/web/.hidden.yml
        v: hidden
        # file group_vars/web/old.yml~
        v: old
        # file group_vars/web/notes.txt
        v: notes
        # file host_vars/h/z.yml
        x: 1
        # file host_vars/h/plain
        y: 1
        """,
    "an empty vars file": """
        # file hosts.yml
        web: {hosts: {h: {v: 1}}}
        # file group_vars/web.yml

        # file host_vars/h.yml
        ---
        """,
    "a vars file beside each source": """
        # -i one/hosts.yml two/hosts.yml
        # file one/hosts.yml
        web: {hosts: {h: }}
        # file one/group_vars/web.yml
        v: one
        w: one
        # file one/host_vars/h.yml
        x: one
        # file two/hosts.yml
        web: {hosts: {i: }}
        # file two/group_vars/all.yml
        v: two all
        # file two/group_vars/web.yml
        w: two
        # file two/host_vars/h.yml
        x: two
        """,
    "sources turned round": """
        # -i two/hosts.yml one/hosts.yml
        # file one/hosts.yml
        web: {hosts: {h: }, vars: {u: one}}
        # file one/group_vars/web.yml
        v: one
        # file two/hosts.yml
        web: {hosts: {h: }, vars: {u: two}}
        # file two/group_vars/web.yml
        v: two
        """,
    "the same folder beside two sources": """
        # -i one.yml two.yml
        # file one.yml
        web: {hosts: {h: }, vars: {v: one}}
        # file two.yml
        web: {hosts: {h: }, vars: {v: two}}
        # file group_vars/web.yml
        w: file
        """,
    "the same source twice": """
        # -i one/hosts.yml two/hosts.yml one/hosts.yml
        # file one/hosts.yml
        web: {hosts: {h: }, vars: {v: one}}
        # file one/group_vars/web.yml
        w: one
        # file two/hosts.yml
        web: {hosts: {h: }, vars: {v: two}}
        # file two/group_vars/web.yml
        w: two
        """,
    "vars of a host with an address for a name": """
        # file hosts.yml
        web: {hosts: {10.0.0.7: , '2001:db8::1': }}
        # file host_vars/10.0.0.7.yml
        v: 4
        # file host_vars/2001:db8::1.yml
        v: 6
        """,
    # --- a folder as a source
    "a folder": """
        # -i inv
        # file inv/a.yml
        web: {hosts: {h: }, vars: {v: a}}
        # file inv/b.yml
        web: {vars: {v: b}}
        # file inv/group_vars/web.yml
        w: vars
        # file inv/notes.md
        not: [read
        # file inv/old.bak
        not: [read
        # file inv/.hidden.yml
        not: [read
        # file inv/.git/config.yml
        not: [read
        # file inv/host_vars/h.yml
        x: 1
        """,
    "a folder in a folder": """
        # -i inv
        # file inv/1-first.yml
        web: {hosts: {h: }, vars: {v: first}}
        # file inv/2-more/x.yml
        web: {hosts: {i: }, vars: {v: second}}
        # file inv/2-more/group_vars/web.yml
        w: not beside the source
        # file inv/group_vars/web.yml
        x: beside
        """,
    "a folder and a file": """
        # -i inv extra.yml
        # file inv/a.yml
        web: {hosts: {h: }, vars: {v: a}}
        # file inv/group_vars/web.yml
        w: inv
        # file extra.yml
        web: {hosts: {i: }, vars: {v: extra}}
        # file group_vars/web.yml
        w: outside
        """,
    "capitals in a folder": """
        # -i inv
        # file inv/B.yml
        web: {hosts: {h: }, vars: {v: B}}
        # file inv/a.yml
        web: {vars: {v: a}}
        """,
    # --- ranges and ports
    "a range": "web: {hosts: {'w[1:3].x': {v: 1}}}",
    "a range with zeros": "web: {hosts: {'w[08:11].x': }}",
    "a range with a step": "web: {hosts: {'w[1:9:3]': , 'v[01:50:24].example.com': }}",
    "a range of letters": "web: {hosts: {'db-[a:f]': , 'X[A:C:2]': }}",
    "letters across the cases": "web: {hosts: {'n[y:B]': }}",
    "two ranges": "web: {hosts: {'r[1:2]-n[a:b]': }}",
    "a range from nothing": "web: {hosts: {'w[:3]': }}",
    "a range of one": "web: {hosts: {'w[5:5]': }}",
    "a range and a host of it": "web: {hosts: {'w[1:2]': {v: range, u: range}, w2: {v: own}}}",
    "a port": "web: {hosts: {'h:2222': , 'w[1:2]:2200': }}",
    "a port and ansible_port": "web: {hosts: {'h:2222': {ansible_port: 22}}}",
    "ansible_port first": "a: {hosts: {h: {ansible_port: 22}}}\nb: {hosts: {'h:2222': }}",
    "IPv6": "web: {hosts: {'2001:db8::7': , '[2001:db8::8]:2222': , '::1': }}",
    "odd names": "web: {hosts: {a_b: , a-b: , A.B: , x1.y2.z3: , _u: , 'e\u00e9': }}",
    # --- YAML 1.1
    "words": "all: {hosts: {a: }, vars: {v: [yes, No, on, OFF, true, False, y, n, ~, null, Null, '']}}",
    "numbers": "all: {hosts: {a: }, vars: {v: [0022, 1_000, 0x1F, 0b101, 0o17, 08, +1, -1, 1e3, 1.5, .5, 1., 1.0e+3, .inf, -.inf]}}",
    "base sixty": "all: {hosts: {a: }, vars: {v: [12:30:45, 1:30, 1:30.5, -1:30, '1:60', 190:20:30]}}",
    "dates": "all: {hosts: {a: }, vars: {v: [2024-02-29, 2024-02-29 12:30:45, 2024-02-29T12:30:45Z, 2024-2-9 1:02:03.5 +01:00]}}",
    "a list with an empty item": "all:\n  hosts: {a: }\n  vars:\n    v:\n      - x\n      -\n      - y\n",
    "texts": """
        all:
          hosts: {a: }
          vars:
            single: 'it''s'
            double: "a\\tb\\u00e9\\x41"
            folded: >
              one
              two

              three
            literal: |
              one
                two
            strip: |-
              end
            keep: |+
              end

            plain: many words
              on two lines
        """,
    "anchors": """
        all:
          vars: {base: &base {a: 1, b: [x, &item y]}, same: *base, one: *item}
          hosts: {a: {v: *base}, b: *base}
        """,
    "merges": """
        x-base: &base
          vars: {b: 1}
        all:
          vars:
            one: &one {a: 1, b: 1}
            two: &two {b: 2, c: 2}
            merged: {<<: *one, b: 9}
            both: {<<: [*one, *two], d: 4}
            late: {a: 0, <<: *two}
          hosts: {h: }
        """,
    "tags": "all: {hosts: {a: }, vars: {v: [!!str 12, !!int 7, !!float 1.5, !!bool yes, ! 12, ! '12', !!null '']}}",
    "unsafe": "all: {hosts: {a: }, vars: {v: !unsafe '{{ nosuch }}', w: !unsafe ['{{ x }}', 1], u: '{{ v }}!'}}",
    "keys that are no text": "all: {hosts: {a: }, vars: {v: {2: a, yes: b, ~: c, 1.5: d}}}",
    "comments and a document mark": "---\n# a comment\nall: # here\n  hosts:\n    a: # and here\n",
    "a byte order mark": "\ufeffall: {hosts: {a: }}",
    "windows line ends": "all:\r\n  hosts:\r\n    a:\r\n      v: x\r\n",
    "unicode": "all: {hosts: {a: {v: 'caf\u00e9 \U0001f600', \u00fcml: 1}}}",
    "JSON as YAML": '{"all": {"hosts": {"a": {"v": "x", "w": [1, 2.5, 1e3, true, null]}}}}',
    "JSON with escapes": '{"all": {"hosts": {"a": {"v": "\\ud83d\\ude00 \\/ \\u00e9"}}}}',
    "JSON with tabs": '{\n\t"all": {\n\t\t"hosts": {"a": {"v": 1}}\n\t}\n}',
    "JSON with vault and unsafe": f"""
        # -i hosts.json
        # file hosts.json
        {{"all": {{"hosts": {{"a": {{
          "v": {{"__ansible_vault": "{_vault_json("secret")}"}},
          "w": {{"__ansible_unsafe": "{{{{ nosuch }}}}"}},
          "x": "{{{{ w }}}}"}}}}}}}}
        """,
    # --- vault values
    "vault values": (
        "all:\n  hosts: {a: }\n  vars:\n"
        f"    v: {_vault('one', 'default', 6)}    w: {_vault('two', 'prod', 6)}"
        "    lone: '{{ v }}'\n"
    ),
    "a vault value for the password": (
        f"all:\n  hosts:\n    a:\n      ansible_password: {_vault('geheim', 'prod', 8)}"
        f"      ansible_become_password: {_vault('noch eins', 'default', 8)}"
        "      ansible_become: yes\n"
    ),
    # --- connection variables
    "the new spelling": """
        all:
          hosts:
            a: {ansible_host: x, ansible_port: 2222, ansible_user: u, ansible_password: p,
                ansible_private_key_file: /k}
        """,
    "the old spelling": """
        all:
          hosts:
            a: {ansible_ssh_host: x, ansible_ssh_port: 2222, ansible_ssh_user: u,
                ansible_ssh_pass: p, ansible_ssh_private_key_file: /k, ansible_ssh_timeout: 7}
            b: {ansible_ssh_password: q}
        """,
    "both spellings on one host": """
        all:
          hosts:
            a: {ansible_host: new, ansible_ssh_host: old, ansible_port: 1, ansible_ssh_port: 2,
                ansible_user: new, ansible_ssh_user: old, ansible_password: new,
                ansible_ssh_pass: old, ansible_private_key_file: /new,
                ansible_ssh_private_key_file: /old, ansible_ssh_timeout: 8}
            b: {ansible_ssh_pass: one, ansible_ssh_password: two}
        """,
    "the old spelling in the group": """
        all: {vars: {ansible_ssh_user: group, ansible_ssh_host: group.x}}
        web: {hosts: {a: {ansible_user: host, ansible_host: host.x}}}
        """,
    "the new spelling in the group": """
        all: {vars: {ansible_user: group}}
        web: {hosts: {a: {ansible_ssh_user: host}}}
        """,
    "numbers as text": "all: {hosts: {a: {ansible_port: '2222', ansible_ssh_timeout: '7'}}}",
    "become": """
        all:
          hosts:
            a: {ansible_become: yes, ansible_become_user: zulip, ansible_become_password: p}
            b: {ansible_become: 'yes', ansible_become_pass: q}
            c: {ansible_become: 'no', ansible_sudo_user: s, ansible_sudo_pass: t}
            d: {ansible_become: 1, ansible_become_user: one, ansible_sudo_user: two}
            e: {ansible_become_password: one, ansible_become_pass: two, ansible_sudo_pass: three}
            f: {ansible_become: true, ansible_become_method: su, ansible_su_user: r, ansible_su_pass: w}
            g: {ansible_become: true, ansible_become_method: sudo, ansible_su_user: r, ansible_su_pass: w}
            q1: {ansible_become_exe: sudo.ws, ansible_become_flags: -H -S -i}
            q2: {ansible_become_exe: sudo, ansible_sudo_exe: /usr/bin/sudo-rs, ansible_su_exe: no}
            q3: {ansible_sudo_flags: -H, ansible_become_flags: -S}
            q4: {ansible_become_method: su, ansible_su_exe: /bin/su, ansible_su_flags: '-', ansible_sudo_exe: no}
            h: {ansible_become: true, ansible_become_method: su, ansible_sudo_user: r, ansible_sudo_pass: w}
        """,
    "connection variables as templates": """
        all:
          vars:
            domain: example.com
            ansible_host: "{{ inventory_hostname_short }}.{{ domain }}"
            ansible_port: "{{ 2200 + 22 }}"
            ansible_user: "{{ 'root' if inventory_hostname in groups['db'] else 'zulip' }}"
            ansible_become: "{{ ansible_user != 'root' }}"
        web: {hosts: {web1.old: }}
        db: {hosts: {db1.old: }}
        """,
    # --- variables that use variables
    "special variables": """
        all:
          vars:
            name: "{{ inventory_hostname }}"
            short: "{{ inventory_hostname_short }}"
            mine: "{{ group_names | join(',') }}"
            web: "{{ groups['web'] }}"
            all_: "{{ groups.all | length }}"
            file: "{{ inventory_file }}"
            dir: "{{ inventory_dir }}"
        web: {hosts: {a.x: , b.x: }}
        top: {children: {web: }}
        """,
    "inventory_file is the first that names a host": """
        # -i one/hosts.yml two/hosts.yml
        # file one/hosts.yml
        web: {hosts: {a: }, vars: {file: '{{ inventory_file }}', dir: '{{ inventory_dir }}'}}
        # file two/hosts.yml
        web: {hosts: {a: , b: }}
        """,
    "types are kept": "all: {hosts: {a: }, vars: {n: 5, l: [1], v: '{{ n }}', w: '{{ l }}', x: '{{ n }}{{ n }}', y: ' {{ n }}', b: '{{ n > 3 }}'}}",
    "chains": "all: {hosts: {a: {z: deep}}, vars: {v: '{{ w }}', w: '{{ x }}-1', x: '{{ z | upper }}'}}",
    "a circle and what is not there": "all: {hosts: {a: }, vars: {v: '{{ w }}', w: '{{ v }}', x: '{{ nosuch }}', y: '{{ nosuch | default(3) }}'}}",
    "templates in lists and mappings": "all: {hosts: {a: {n: x}}, vars: {v: ['{{ n }}', {k: '{{ n }}!'}], w: {'{{ n }}': 1}}}",
    "if and for": "all: {hosts: {a: {n: 3}}, vars: {v: '{% if n > 2 %}many{% else %}few{% endif %}', w: '{% for i in range(n) %}{{ i }},{% endfor %}'}}",
    "a comment in a template": "all: {hosts: {a: }, vars: {v: '{# nothing #}x', w: 'a{#- b -#} c'}}",
    "realms": """
        all:
          vars:
            scim_idp: okta
            scim_realms: {acme: {client: '{{ scim_idp }}-x'}, '': {state: absent}}
        web: {hosts: {a: {scim_unmanaged: keep, zulip_user: zulip}}}
        """,
    # --- programs
    "a program": """
        # -i inv
        # file inv
        #!/bin/sh
        cat <<'END'
        {"_meta": {"hostvars": {"a": {"v": "{{ w }}", "x": 1e3, "y": "no"}, "z": {"v": 1}}},
         "web": {"hosts": ["a", "b"], "vars": {"w": "group", "ansible_group_priority": 5}},
         "db": {"children": ["web"], "vars": {"w": "db", "u": [1, {"k": null}]}},
         "all": {"children": ["db"], "vars": {"t": "all"}, "hosts": ["loose"]}}
        END
        # file group_vars/web.yml
        s: file {{ w }}
        # file host_vars/a.yml
        r: file
        """,
    "a program without _meta": """
        # -i inv
        # file inv
        #!/bin/sh
        case "$1 $2" in
        '--list ') echo '{"web": {"hosts": ["a", "b"]}, "db": ["c"]}' ;;
        '--host a') echo '{"v": "{{ inventory_hostname }}", "w": {"__ansible_unsafe": "{{ x }}"}}' ;;
        '--host b') ;;
        *) echo '{"v": 3}' ;;
        esac
        """,
    "old forms of JSON": """
        # -i inv
        # file inv
        #!/bin/sh
        [ "$1" = --host ] && exec echo '{"w": 1}'
        echo '{"web": ["a", "b"], "db": {"v": 1}, "none": {"hosts": []}}'
        """,
    "a program, a file and a folder": """
        # -i inv hosts.yml more
        # file inv
        #!/bin/sh
        echo '{"_meta": {"hostvars": {"a": {"v": "program"}}}, "web": {"hosts": ["a", "[b:c]"]}}'
        # file hosts.yml
        web: {hosts: {a: {v: file, ansible_ssh_host: x}}, vars: {w: "{{ inventory_file }}"}}
        # file more/two.py
        #!/bin/sh
        echo '{"_meta": {"hostvars": {}}, "low": {"hosts": ["d"]}, "web": {"children": ["low"]}}'
        # file more/group_vars/low.yml
        u: low
        """,
    "vault values of a program": f"""
        # -i inv
        # file inv
        #!/bin/sh
        cat <<'END'
        {{"web": {{"hosts": ["a"]}}, "_meta": {{"hostvars": {{"a": {{
          "ansible_password": {{"__ansible_vault": "{_vault_json("secret")}"}},
          "v": {{"__ansible_unsafe": "{{{{ nosuch }}}}"}}}}}}}}}}
        END
        """,
    # --- files that are encrypted as a whole
    "an encrypted inventory": _files(
        hosts=_sealed("""
            all:
              vars: {domain: example.org, v: "{{ domain | upper }}", w: !unsafe "{{ x }}"}
              hosts: {a: {ansible_host: "a.{{ domain }}", n: 3, m: "{{ n + 1 }}"}, "b[1:2]": }
              children: {web: {hosts: {c:2222: }, vars: {ansible_group_priority: 5}}}
        """)
    ),
    "encrypted group_vars and host_vars": _files(
        hosts="web: {hosts: {a: {v: inline}, b: }}",
        group_vars__all__vars="""
            ansible_become_password: "{{ vault_become_password }}"
            v: "{{ vault_v }}"
            w: "<{{ vault_v }}>"
            x: "<{{ z }}>"
            y: "{% for i in z %}{{ i }},{% endfor %}{{ z | length }}"
        """,
        group_vars__all__vault=_sealed(
            """
            vault_become_password: geheim
            vault_v: 'caf\u00e9 "x"'
            """
        ),
        group_vars__web=_sealed("z: [1, 2.5, yes, ~, 2024-02-29, text, {k: v}]"),
        host_vars__a=_sealed('{"ansible_user": "ops", "ansible_port": 2222}'),
    ),
    "an encrypted file and what it overrides": _files(
        hosts="all: {hosts: {a: {v: inline, w: inline}}, vars: {v: all, u: all}}",
        group_vars__all=_sealed("u: encrypted"),
        host_vars__a__1=_sealed("v: encrypted"),
        host_vars__a__2="w: plain",
    ),
    "templates of an encrypted file": _files(
        hosts="all: {hosts: {a: {env: prod}, b: {env: test}}}",
        group_vars__all=_sealed(
            """
            ips: {prod: 192.0.2.1, test: 192.0.2.2}
            ansible_host: "{{ ips[env] }}"
            v: "{% if env == 'prod' %}yes{% else %}no{% endif %}"
            w: "{{ ips | dict2items | map(attribute='value') | list }}"
            x: "{{ ips.values() | list | length + 1 }}"
            """
        ),
    ),
    "an encrypted file that is empty": _files(
        hosts="all: {hosts: {a: }}", group_vars__all=_sealed("---\n")
    ),
    "encrypted text in a template": (
        f"all:\n  hosts:\n    a:\n      v: {_vault('geheim', 'default', 8)}"
        "      w: '<{{ v }}>'\n      x: '{{ v }}{{ v }}'\n      y: ['{{ v }}', '{{ v }}!']\n"
        "      u: {'{{ v }}': 1}\n      z: '{{ v | default(1) }}'\n      t: '{{ m.k }}'\n"
        f"      m: {{k: '{{{{ v }}}}'}}\n"
    ),
    "an encrypted template is no template": (
        f"all:\n  hosts:\n    a:\n      v: {_vault('{{ w }}', 'default', 8)}"
        "      w: 1\n      x: '{{ v }}'\n      y: '{{ v }}!'\n"
    ),
    "encrypted connection variables": (
        f"all:\n  hosts:\n    a:\n      ansible_host: {_vault('192.0.2.1', 'prod', 8)}"
        f"      ansible_user: {_vault('ops', 'default', 8)}"
        f"      ansible_port: {_vault('2222', 'default', 8)}"
        f"      ansible_become_user: {_vault('zulip', 'default', 8)}"
        f"      ansible_ssh_private_key_file: {_vault('/k', 'default', 8)}"
        f"      ansible_become: {_vault('yes', 'default', 8)}"
    ),
    "a user with an encrypted part": (
        f"all:\n  hosts:\n    a:\n      ansible_user: '{{{{ v }}}}@example'\n"
        f"      v: {_vault('ops', 'prod', 8)}"
    ),
    # --- omit, hostvars and other special variables
    "omit": """
        all:
          vars:
            ansible_become_password: "{{ nobody_set_this | default(omit) }}"
            ansible_user: "{{ omit }}"
            v: ["{{ omit }}", x, {k: "{{ omit }}", l: 1}]
            w: "{{ [omit, 1] }}"
            x: "{{ y | default('unset') }}"
            y: "{{ omit }}"
            z: "{{ {'k': omit, 'l': 2} }}"
            t: "{{ y is defined }}"
            s: "{{ 'a' if omit else 'b' }}"
          hosts: {a: , b: {nobody_set_this: secret}}
        """,
    "omit and another spelling": """
        all:
          hosts:
            a: {ansible_become_pass: "{{ omit }}", ansible_become_password: x, ansible_port: "{{ omit }}"}
        """,
    "hostvars": """
        all:
          vars:
            ip: "192.0.2.{{ n }}"
            first: "{{ hostvars[groups['web'][0]].ip }}"
            mine: "{{ hostvars[inventory_hostname]['n'] }}"
            all_: "{% for h in groups['web'] %}{{ hostvars[h].ip }},{% endfor %}"
            name: "{{ hostvars.b.inventory_hostname }}"
            in_: "{{ 'a' in hostvars and 'zz' not in hostvars }}"
            none_: "{{ hostvars['zz'].ip | default('none') }}"
            chain: "{{ nosuch.x['y'].z | default('none') }}"
            chain2: "{{ nosuch.x }}"
            no_: "{{ hostvars.a.nosuch | default('none') }}"
            bad: "{{ hostvars.a.nosuch }}"
            deep: "{{ hostvars.b.m.k }}"
            whole: "{{ hostvars.b.m }}"
        web: {hosts: {a: {n: 1}, b: {n: 2, m: {k: "{{ n }}"}}}}
        """,
    "a circle of hosts": """
        all: {hosts: {a: {v: "{{ hostvars.b.v }}"}, b: {v: "{{ hostvars.a.v }}"}}}
        """,
}
