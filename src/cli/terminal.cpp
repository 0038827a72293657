// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <unistd.h>

#include <iostream>

namespace penstock::cli {

void Terminal::print(std::string_view text) const { out << text; }

void Terminal::say(std::string_view line) const {
    // Data already written must stand before the prose about them when both go to one screen.
    out.flush();
    err << line << '\n';
    err.flush();
}

void Terminal::flush() const {
    out.flush();
    err.flush();
}

Terminal process_terminal(bool no_color) {
    const bool err_is_terminal = isatty(STDERR_FILENO) == 1;
    return Terminal{
        .in = std::cin,
        .out = std::cout,
        .err = std::cerr,
        .in_is_terminal = isatty(STDIN_FILENO) == 1,
        .out_is_terminal = isatty(STDOUT_FILENO) == 1,
        .err_is_terminal = err_is_terminal,
        .color = err_is_terminal && !no_color,
    };
}

}  // namespace penstock::cli
