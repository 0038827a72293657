// SPDX-License-Identifier: Apache-2.0
#include "tasks/blocker.h"

#include <gtest/gtest.h>

#include <boost/describe/enumerators.hpp>
#include <boost/mp11/algorithm.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tasks/state.h"

namespace penstock::tasks {
namespace {

// Every reason with its sentence, and the remedy of those that block, in both languages.
std::string said_of_reasons() {
    std::ostringstream out;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<TaskReason>>([&](auto each) {
        const Wording words = describe(each.value);
        out << each.name << "\n  " << words.en << "\n  " << words.zh << "\n";
        const Blocker blocker = blocker_of(each.value);
        if (blocker.word.empty()) return;
        out << "  " << blocker.word << ": " << blocker.remedy << "\n  " << blocker.word << "："
            << blocker.remedy_zh << "\n";
    });
    return out.str();
}

// PENSTOCK_UPDATE_GOLDEN=1 writes the file anew.
TEST(Blocker, OfEachReasonIsAsInTheGoldenFile) {
    const std::string now = said_of_reasons();
    const std::string path = "testdata/reasons.txt";
    if (std::getenv("PENSTOCK_UPDATE_GOLDEN")) std::ofstream(path) << now;
    std::ostringstream golden;
    golden << std::ifstream(path).rdbuf();

    EXPECT_EQ(now, golden.str());
}

TEST(Blocker, EveryReasonToWaitHasARemedyInBothLanguages) {
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<TaskReason>>([](auto each) {
        if (!std::string_view(each.name).starts_with("waiting_for_")) return;
        EXPECT_FALSE(blocker_of(each.value).remedy.empty()) << each.name;
        EXPECT_FALSE(blocker_of(each.value).remedy_zh.empty()) << each.name;
    });
}

}  // namespace
}  // namespace penstock::tasks
