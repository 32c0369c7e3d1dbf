#!/usr/bin/env python3
"""What the compiler says of a function whose header is missing: messages_test.py COMPILER FLAG...

A file that includes the header must compile, and one that does not must be told which, in words of ours.
"""
import subprocess
import sys

# What is included, what is said, and the header that must be named
CASES = [
    ("app.hpp", 'void f(kvolt::App& app) { app.listen(":8080"); }', "server.hpp"),
    ("app.hpp", "void f(kvolt::App& app) { app.run(); }", "server.hpp"),
    ("app.hpp", 'void f(kvolt::App& app) { app.start(":8080"); }', "server.hpp"),
    ("server.hpp", 'void f(kvolt::App& app) { app.run_tls(":443", "certificate.pem", "key.pem"); }', "tls.hpp"),
    ("server.hpp", 'void f(kvolt::App& app) { app.listen_tls(":443", kvolt::Tls("certificate.pem", "key.pem")); }', "tls.hpp"),
    ("app.hpp", 'void f(kvolt::App& app) { app.files("/", "web"); }', "files.hpp"),
    ("group.hpp", 'void f(kvolt::Group group) { group.files("/", "web"); }', "files.hpp"),
    ("app.hpp", 'void f(kvolt::App& app) { app.files("/", "web", kvolt::FilesOptions()); }', "files.hpp"),
    ("context.hpp", 'void f(kvolt::Context& c) { c.file("page.html"); }', "files.hpp"),
    ("context.hpp", 'void f(kvolt::Context& c) { c.attachment("page.pdf"); }', "files.hpp"),
    ("handler.hpp", "kvolt::Task<> f(kvolt::Context&, kvolt::Next next) { return next(); }", "context.hpp"),
    ("connect_options.hpp", "void f(kvolt::ConnectOptions& options) { options.tls(kvolt::TlsClient()); }", "tls_client.hpp"),
]


def compiled(command: list[str], source: str) -> subprocess.CompletedProcess:
    return subprocess.run([*command, "-fsyntax-only", "-x", "c++", "-"], input=source, capture_output=True, text=True)


def main() -> int:
    command = sys.argv[1:]
    faults = 0
    for included, code, missing in CASES:
        without = compiled(command, f"#include <kvolt/{included}>\n{code}\n")
        told = without.returncode != 0 and f"<kvolt/{missing}>" in without.stderr
        if not told:
            print(f"{code}\n  with {included} alone does not name {missing}:\n{without.stderr}")
        faults += not told
    everything = "".join(f"#include <kvolt/{header}>\n" for header in sorted({missing for _, _, missing in CASES}))
    with_all = compiled(command, everything + "\n".join(f"namespace n{i} {{ {code} }}" for i, (_, code, _) in enumerate(CASES)))
    if with_all.returncode != 0:
        print(f"with their headers:\n{with_all.stderr}")
    print(f"{len(CASES)} functions, {faults} without words")
    return 1 if faults or with_all.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
