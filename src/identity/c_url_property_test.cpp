// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>
#include <string>

#include "identity/c_url.h"
#include "identity/code_issuer.h"

namespace penstock::identity {
namespace {

constexpr std::string_view kUpperLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kUpperAndDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kLowerAndDigits = "abcdefghijklmnopqrstuvwxyz0123456789";

// Writes random canonical C-URLs straight from the grammar, without the code under test.
class Writer {
  public:
    std::string c_url() {
        std::string text = "c-url://" + authority() + "/";
        if (chance()) {
            text += code(true);
            if (chance()) text += chance() ? service() : "/I" + code(false) + "." + number(9999);
        } else {
            text += code(false);
            const int parts = below(4);
            if (parts > 0) text += resource();
            if (parts > 1) text += spec();
            if (parts > 2)
                text += "/P" + word(kUpperLetters, 1, 1) + word(kUpperAndDigits, 1, 11) + hops();
        }
        text += query();
        if (chance()) text += chance() ? "#K1" : "#K2";
        return text;
    }
    int below(int bound) { return *rc::gen::inRange(0, bound); }
    char character() { return static_cast<char>(below(256)); }

  private:
    bool chance() { return below(2) == 0; }
    std::string word(std::string_view alphabet, int min, int max) {
        std::string text;
        for (int left = *rc::gen::inRange(min, max + 1); left > 0; --left)
            text += alphabet[static_cast<std::size_t>(below(static_cast<int>(alphabet.size())))];
        return text;
    }
    std::string number(int max) { return std::to_string(*rc::gen::inRange(1, max + 1)); }
    std::string authority() {
        return word(kLowerAndDigits, 1, 8) + "." + word(kLowerAndDigits.substr(0, 26), 1, 6);
    }
    std::string code(bool is_service) {
        std::string city = word("0123456789", 6, 6), zone = word(kUpperAndDigits, 2, 2);
        if (is_service) city = "000000", zone = "SV";
        if (!is_service && (city == "000000" || zone == "SV")) city = "420100", zone = "A1";
        const std::string open = word(kUpperLetters, 1, 1) + word("0123456789", 2, 2) +
                                 word(kUpperAndDigits, 5, 5) + city + zone +
                                 word("123456789ABCDEFGHJKMNPQRSTVWXYZ", 8, 8);
        return open + check_character(open);
    }
    std::string resource() {
        std::set<std::string> chips;
        for (int left = below(6); left > 0; --left)
            chips.insert(word(kUpperLetters, 1, 1) + word(kUpperAndDigits, 1, 10));
        std::string text = "/R" + word("0123456789", 3, 3);
        for (const std::string& chip : chips) text += "." + chip + "." + number(9'999'999);
        return text;
    }
    std::string quantity(std::string_view units, int step) {
        const std::string unit = word(units, 1, 1);
        int value = *rc::gen::inRange(1, 1'000'000);
        if (value % step == 0 && unit[0] != units.back()) ++value;
        return std::to_string(value) + unit;
    }
    std::string spec() {
        std::string text;
        if (chance()) {
            std::set<std::string> precisions;
            for (int left = *rc::gen::inRange(1, 5); left > 0; --left)
                precisions.insert(word(kUpperLetters, 1, 1) + word(kUpperAndDigits, 1, 7));
            std::string rates;
            for (const std::string& one : precisions)
                rates += "." + quantity("GTPE", 1000) + "." + one;
            text += "-P" + rates.substr(1);
        }
        if (chance()) text += "-M" + quantity("GTP", 1024);
        if (chance()) text += "-T" + quantity("GTP", 1024);
        if (chance()) text += "-N" + number(999'999) + word(kUpperLetters, 1, 1);
        if (chance())
            text +=
                "-V" + std::string(kUpperLetters.substr(static_cast<std::size_t>(below(20)), 6));
        if (chance()) text += "-E" + word("0123456789ABC.", 1, 10);
        if (chance() || text.empty()) text += "-W" + word("0123456789ABC.", 1, 10);
        return "/S" + text.substr(1);
    }
    std::string hops() {
        std::string text;
        for (int left = below(4); left > 0; --left) text += "." + word(kUpperAndDigits, 2, 12);
        return text;
    }
    std::string service() {
        std::string text = "/V" + word(kUpperAndDigits, 2, 8);
        for (int left = below(3); left > 0; --left)
            text += "." + word(kLowerAndDigits, 1, 8) + "--" + word(kLowerAndDigits, 1, 8);
        return text;
    }
    std::string query() {
        std::string text;
        std::set<std::string> names;
        for (int left = below(3); left > 0; --left)
            names.insert(word("abc_", 1, 1) + word("abc_019", 0, 6));
        for (const std::string& name : names) text += "&q." + name + "=" + word("Az09._~,:-", 1, 8);
        if (chance()) text += "&ttl=" + number(86'400);
        if (chance()) text += "&v=" + number(1'000'000'000);
        if (!text.empty()) text[0] = '?';
        return text;
    }
};

TEST(CUrlProperty, EveryCanonicalTextReadsAndPrintsBack) {
    EXPECT_TRUE(rc::check([] {
        Writer writer;
        const std::string text = writer.c_url();
        const auto parsed = parse(text);
        if (!parsed) RC_FAIL(text + "\n" + to_string(parsed.error()));
        RC_ASSERT(to_string(*parsed) == text);
        RC_ASSERT(validate(*parsed).has_value());
        RC_ASSERT(parse_identity(to_string(parsed->code)).value().code == parsed->code);
    }));
}

TEST(CUrlProperty, AMutatedTextIsRefusedInPlaceOrStillCanonical) {
    EXPECT_TRUE(rc::check([] {
        Writer writer;
        std::string text = writer.c_url();
        for (int left = *rc::gen::inRange(1, 4); left > 0; --left) {
            const auto at = static_cast<std::size_t>(writer.below(static_cast<int>(text.size())));
            constexpr std::string_view interesting = "/.-?#&=:0AaPRSVI";
            const char c = writer.below(4) == 0
                               ? writer.character()
                               : interesting[static_cast<std::size_t>(writer.below(16))];
            switch (writer.below(3)) {
                case 0:
                    text[at] = c;
                    break;
                case 1:
                    text.insert(at, 1, c);
                    break;
                default:
                    text.erase(at, 1);
                    break;
            }
            if (text.empty()) text = "/";
        }
        const auto parsed = parse(text);
        if (parsed)
            RC_ASSERT(
                to_string(*parsed) == (text.starts_with("curl") ? "c-" + text.substr(1) : text)
            );
        else
            RC_ASSERT(parsed.error().position <= text.size());
    }));
}

TEST(CUrlProperty, AnIssuerNeverGivesTheSameCodeTwice) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& steps) {
        CodeIssuer issuer;
        std::set<std::string> issued;
        for (const std::uint8_t step : steps) {
            const ZonePrefix prefix{
                NodeCode("R21"), OrgCode("01002"), CityCode("420100"),
                ZoneCode(step % 2 ? "A1" : "A2")
            };
            if (step % 16 == 0) {  // a restart from the store, in whatever order
                issuer = CodeIssuer{};
                for (const std::string& text : issued)
                    RC_ASSERT(issuer.replay(*parse_registration_code(text)).has_value());
            }
            RC_ASSERT(issued.insert(to_string(*issuer.issue(prefix))).second);
        }
    }));
}

}  // namespace
}  // namespace penstock::identity
