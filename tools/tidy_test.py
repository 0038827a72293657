#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that every rule of tools/tidy fails when it is broken, and lets good code pass."""
import importlib.machinery
import importlib.util
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import cpp_source  # noqa: E402

loader = importlib.machinery.SourceFileLoader("tidy", str(HERE / "tidy"))
tidy = importlib.util.module_from_spec(importlib.util.spec_from_loader("tidy", loader))
sys.modules["tidy"] = tidy
loader.exec_module(tidy)

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
BASE = "add_module(base LAYER 0\n  SOURCES money.cpp\n  HEADERS money.h guarded.h)\n"


class TreeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("src/base/CMakeLists.txt", BASE)
        self.write("src/base/money.h", SPDX + "#pragma once\n")

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def breaches(self):
        _, found = tidy.check_tree(self.root)
        return [f"{b.path}:{b.line} {b.rule}" for b in found]


class FileRules(TreeTest):
    def test_a_clean_tree_passes(self):
        self.write("src/base/money.cpp", SPDX + '#include "base/money.h"\n')
        self.assertEqual(self.breaches(), [])

    def test_a_missing_licence_line_fails(self):
        self.write("src/base/money.cpp", "int a;\n")
        self.assertEqual(self.breaches(), ["src/base/money.cpp:1 licence"])

    def test_a_licence_line_that_is_not_first_fails_in_cpp(self):
        self.write("src/base/money.cpp", "\n" + SPDX)
        self.assertEqual(self.breaches(), ["src/base/money.cpp:1 licence"])

    def test_a_script_has_its_licence_after_the_interpreter(self):
        self.write("tools/run", "#!/bin/bash\n# SPDX-License-Identifier: Apache-2.0\n")
        self.write("tools/other", "#!/bin/bash\n")
        self.assertEqual(self.breaches(), ["tools/other:1 licence"])

    def test_a_link_of_a_page_that_leads_nowhere_fails(self):
        self.write("docs/page.md", "[here](../src/base/money.h) [web](https://example.org/x) [part](#part)\n[gone](missing.md#a)\n")
        self.assertEqual(self.breaches(), ["docs/page.md:2 links"])

    def test_open_work_fails(self):
        self.write("docs/plan.md", "text\nTO" "DO: more\n")
        self.assertEqual(self.breaches(), ["docs/plan.md:2 open-work"])

    def test_names_of_other_places_fail(self):
        self.write("docs/a.md", "see /wor" "k/main/src\n")
        self.write("docs/b.md", "from registry.some" "where.org\n")
        self.write("docs/c.md", "tasks see their folder as /work/out, images come from registry.example.com\n")
        self.assertEqual(self.breaches(), ["docs/a.md:1 foreign-text", "docs/b.md:1 foreign-text"])

    def test_lock_files_name_no_registry(self):
        self.write("tests/package-lock.json", '{"resolved": "https://registry.some' 'where.org/a.tgz"}\n')
        self.assertEqual(self.breaches(), ["tests/package-lock.json:1 foreign-text"])

    def test_empty_names_fail(self):
        self.write("src/base/CMakeLists.txt", BASE + "# string_utils.h\n")
        self.write("docs/common/a.md", "")
        self.write("docs/credential_helper.md", "")
        self.write("docs/commonwealth.md", "")
        self.assertEqual(self.breaches(), ["docs/common/a.md:1 name", "docs/credential_helper.md:1 name"])

    def test_empty_class_names_fail(self):
        self.write("src/base/money.cpp", SPDX + "class TaskManager {};\nstruct Commonality {};\n")
        self.assertEqual(self.breaches(), ["src/base/money.cpp:2 name"])

    def test_heavy_includes_fail_in_headers_only(self):
        heavy = "#include <iostream>\n#include <boost/json.hpp>\n#include <regex>\n#include <gmock/gmock.h>\n"
        self.write("src/base/money.h", SPDX + heavy + "// #include <iostream>\n#include <boost/json/fwd.hpp>\n")
        self.write("src/base/money.cpp", SPDX + heavy)
        self.assertEqual(self.breaches(), [f"src/base/money.h:{line} header-include" for line in (2, 3, 4, 5)])

    def test_codec_headers_may_be_heavy_but_not_in_other_headers(self):
        self.write("src/base/CMakeLists.txt", BASE.replace("money.h", "money.h codec.h"))
        self.write("src/base/codec.h", SPDX + "#include <boost/json.hpp>\n")
        self.write("src/base/money.h", SPDX + '#include "base/codec.h"\n')
        self.assertEqual(self.breaches(), ["src/base/money.h:2 header-include"])

    def test_libraries_stay_in_their_module(self):
        self.write("src/base/money.cpp", SPDX + "#include <boost/asio/awaitable.hpp>\n")
        self.write("src/base/money.h", SPDX + "soci::session* s;\nboost::beast::flat_buffer* b;\n")
        expected = ["src/base/money.cpp:2 library", "src/base/money.h:2 library", "src/base/money.h:3 library"]
        self.assertEqual(self.breaches(), expected)

    def test_the_owner_may_name_its_library(self):
        self.write("src/io/CMakeLists.txt", "add_module(io LAYER 3 SOURCES a.cpp)")
        self.write("src/io/a.cpp", SPDX + "#include <boost/asio.hpp>\nboost::asio::io_context c;\n")
        self.assertEqual(self.breaches(), [])

    def test_mutexes_live_in_guarded(self):
        self.write("src/base/guarded.h", SPDX + "std::mutex m;\n")
        self.write("src/base/money.h", SPDX + "// a std::mutex\nstd::shared_mutex m;\n")
        self.assertEqual(self.breaches(), ["src/base/money.h:3 mutex"])

    def test_floating_point_stays_out_of_money(self):
        for module in ("ledger", "market", "fleet"):
            self.write(f"src/{module}/CMakeLists.txt", f"add_module({module} LAYER 2 SOURCES a.cpp)")
            self.write(f"src/{module}/a.cpp", SPDX + 'auto text = "double"; // float\ndouble price;\n')
        self.assertEqual(self.breaches(), ["src/ledger/a.cpp:3 floating-point", "src/market/a.cpp:3 floating-point"])


class Layers(TreeTest):
    def setUp(self):
        super().setUp()
        self.write("src/json/CMakeLists.txt", "add_module(json LAYER 0 SOURCES a.cpp SAME_LAYER base)")
        self.write("src/model/CMakeLists.txt", "add_module(model LAYER 1 SOURCES a.cpp DEPS json LIBRARIES base2)")
        self.write("src/fleet/CMakeLists.txt", "add_module(fleet LAYER 2\n  SOURCES a.cpp # b.cpp\n  DEPS base)")

    def test_direct_and_transitive_dependencies_pass(self):
        self.write("src/model/a.cpp", SPDX + '#include "json/a.h"\n#include "base/money.h"\n#include <vector>\n')
        self.assertEqual(self.breaches(), [])

    def test_a_module_that_is_not_in_deps_fails(self):
        self.write("src/fleet/a.cpp", SPDX + '#include "base/money.h"\n#include "model/task.h"\n')
        self.assertEqual(self.breaches(), ["src/fleet/a.cpp:3 layer"])

    def test_an_unknown_module_fails(self):
        self.write("src/fleet/a.cpp", SPDX + '#include "flet/a.h"\n')
        self.assertEqual(self.breaches(), ["src/fleet/a.cpp:2 layer"])

    def test_includes_start_at_src(self):
        self.write("src/fleet/a.cpp", SPDX + '#include "a.h"\n')
        self.assertEqual(self.breaches(), ["src/fleet/a.cpp:2 layer"])

    def test_a_file_that_no_list_names_fails(self):
        self.write("src/fleet/b.cpp", SPDX)
        self.write("src/fleet/b.h", SPDX)
        self.assertEqual(self.breaches(), ["src/fleet/b.cpp:1 layer", "src/fleet/b.h:1 layer"])

    def test_a_fixture_of_tests_needs_no_list(self):
        self.write("src/fleet/CMakeLists.txt", "add_module(fleet LAYER 2 SOURCES a.cpp TESTS a_test.cpp DEPS base)\n"
                   "add_module_test(fleet_kill_test integration fleet fixture.cpp)")
        self.write("src/fleet/fixture.h", SPDX + '#include "fleet/inner.h"\n')
        self.write("src/fleet/inner.h", SPDX)
        self.write("src/fleet/a_test.cpp", SPDX + '#include "fleet/fixture.h"\n')
        self.write("src/fleet/fixture.cpp", SPDX + '#include "fleet/fixture.h"\n')
        self.assertEqual(self.breaches(), [])

    def test_a_folder_without_a_module_fails(self):
        self.write("src/loose/a.cpp", SPDX)
        self.assertEqual(self.breaches(), ["src/loose/a.cpp:1 layer"])


class Sizes(TreeTest):
    def write_sized(self, function_lines, file_lines=0):
        body = "    f();\n" * (function_lines - 1)
        self.write("src/base/money.cpp", SPDX + "void g() {\n" + body + "}\n" + "\n" * file_lines)

    def exception(self, text):
        self.write(tidy.EXCEPTIONS_FILE, "# comment\n" + text + "\n")

    def test_at_the_limit_passes_and_above_fails(self):
        self.write_sized(70)
        self.assertEqual(self.breaches(), [])
        self.write_sized(71)
        self.assertEqual(self.breaches(), ["src/base/money.cpp:2 size"])

    def test_a_long_file_fails(self):
        self.write_sized(1, 497)
        self.assertEqual(self.breaches(), [])
        self.write_sized(1, 498)
        self.assertEqual(self.breaches(), ["src/base/money.cpp:1 size"])

    def test_a_long_python_function_fails(self):
        self.write("tools/a.py", "# SPDX-License-Identifier: Apache-2.0\ndef f():\n" + "    g()\n" * 71)
        self.assertEqual(self.breaches(), ["tools/a.py:2 size"])

    def test_an_exception_may_not_grow_or_hide_that_it_shrank(self):
        self.write_sized(80)
        self.exception("function src/base/money.cpp g 80")
        self.assertEqual(self.breaches(), [])
        self.exception("function src/base/money.cpp g 79")
        self.assertEqual(self.breaches(), ["src/base/money.cpp:2 size"])
        self.exception("function src/base/money.cpp g 81")
        self.assertEqual(self.breaches(), ["src/base/money.cpp:2 size"])

    def test_an_exception_that_is_no_longer_needed_fails(self):
        self.exception("file src/base/money.cpp 600")
        self.assertEqual(self.breaches(), [f"{tidy.EXCEPTIONS_FILE}:1 size"])

    def test_lowering_follows_what_shrank_and_never_admits_more(self):
        self.write_sized(80, 500)
        self.exception("function src/base/money.cpp g 90\nfile src/base/gone.cpp 900")
        _, found = tidy.check_tree(self.root, lower=True)
        self.assertEqual([b.message.split(" has")[0] for b in found], ["the file"])
        text = (self.root / tidy.EXCEPTIONS_FILE).read_text()
        self.assertEqual(text, "# comment\nfunction src/base/money.cpp g 80\n")


class CppFunctions(unittest.TestCase):
    def names(self, text):
        return [(f.name, f.lines) for f in cpp_source.functions(text)]

    def test_finds_functions_of_all_forms(self):
        text = """
namespace a::b {
template <class T>
class CAPABILITY("m") Box : public Base<T> {
  public:
    explicit Box(T t) : t_{std::move(t)}, u_(1) {
        use();
    }
    auto get() const -> const T& {
        return t_;
    }
    bool operator==(const Box&) const = default;

  private:
    T t_;
    std::map<int, int> m_ = {{1, 2}};
};
constexpr int kTable[] = {1, 2,
                          3};
TEST(Box, KeepsWhatItGets) {
    EXPECT_EQ(R"(})", "}" + f('{'));  // }
    auto g = [&](int x) {
        return x;
    };
}
}
"""
        self.assertEqual(self.names(text), [("Box", 2), ("get", 2), ("Box.KeepsWhatItGets", 5)])

    def test_names_a_function_and_not_what_its_type_calls(self):
        self.assertEqual(self.names("const std::array<T, k.size()>& a::tables() {\n}\n"), [("a::tables", 1)])

    def test_separates_digits_from_characters(self):
        self.assertEqual(self.names("int f() {\n int a = 1'000'000;\n char c = '{';\n}\n"), [("f", 3)])


if __name__ == "__main__":
    unittest.main()
