// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <string_view>

namespace penstock::cli {

// The three streams of the program and what a person sees behind them. Data go to `out`; prose,
// progress and errors to `err`. Borrowed; used on one thread.
struct Terminal {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
    bool in_is_terminal = false;
    bool out_is_terminal = false;
    bool err_is_terminal = false;
    bool color = false;  // never when NO_COLOR is set or `err` is no terminal

    void print(std::string_view text) const;  // data, as it is
    void say(std::string_view line) const;    // one line of prose on `err`
    void flush() const;
};

// The process's own streams; isatty decides the flags.
Terminal process_terminal(bool no_color);

}  // namespace penstock::cli
