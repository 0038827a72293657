// SPDX-License-Identifier: Apache-2.0
#include "ledger/ledger_fixture.h"

#include <sstream>

#include "base/check.h"

namespace penstock::ledger {
namespace {

std::vector<std::string> split(const std::string& text, const std::string& separator) {
    std::vector<std::string> parts;
    std::size_t from = 0;
    for (std::size_t at = 0; at != std::string::npos; from = at + separator.size()) {
        at = text.find(separator, from);
        parts.push_back(text.substr(from, at - from));
    }
    return parts;
}

std::vector<std::string> words(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> all;
    for (std::string word; in >> word;) all.push_back(word);
    return all;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string text;
    for (const std::string& part : parts)
        text += (text.empty() ? "" : std::string(separator)) + part;
    return text;
}

std::string reasons(const ChainResult& done) {
    std::vector<std::string> all;
    all.reserve(done.answers.size());
    for (const Answer& answer : done.answers) all.emplace_back(to_string(answer.reason));
    return join(all, "/");
}

}  // namespace

LedgerFixture::LedgerFixture(const std::string& accounts) {
    const auto open = [&](const AccountSpec& spec) { collect(ledger_.open_account(spec)->rows); };
    open(AccountSpec{.id = account("bank"), .kind = AccountKind::bank});
    open(AccountSpec{.id = account("beans"), .asset = "BEAN:acme", .kind = AccountKind::liquidity});
    open(AccountSpec{
        .id = account("sink"), .kind = AccountKind::clearing, .credits_not_over_debits = true
    });
    for (const std::string& entry : split(accounts, ",")) {
        const std::vector<std::string> word = words(entry);
        open(AccountSpec{
            .id = account(word[0]),
            .kind = AccountKind::consumer_prepaid,
            .owner = word[0],
            .debits_not_over_credits = true
        });
        shown_.push_back(word[0]);
        if (word.size() > 1)
            apply("move bank " + word[0] + " " + word[1] + " fund-" + word[0] + " -> ok");
    }
}

RawId LedgerFixture::raw(const std::string& name) const {
    std::uint64_t hash = 14'695'981'039'346'656'037ULL;  // FNV-1a: one id per name, in every run
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
    const RawId id{1, hash};
    names_[id] = name;
    return id;
}

TransferRequest LedgerFixture::request(const std::string& text) {
    const std::vector<std::string> word = words(text);
    TransferRequest request;
    std::size_t next = 0;
    if (word[0] == "move" || word[0] == "hold") {
        request.kind = word[0] == "move" ? TransferKind::single : TransferKind::pending;
        request.debit = account(word[1]);
        request.credit = account(word[2]);
        request.amount = Money::micro(std::stoll(word[3]));
        next = 4;
    } else {
        request.kind = word[0] == "post" ? TransferKind::post : TransferKind::void_;
        request.pending_id = id(word[1]);
        next = request.kind == TransferKind::post ? 3 : 2;
        if (next == 3 && word[2] != "all") request.amount = Money::micro(std::stoll(word[2]));
    }
    request.id = id(word[next]);
    for (++next; next + 1 < word.size(); next += 2) {
        if (word[next] == "until") request.deadline = start_ + *parse_duration(word[next + 1]);
        if (word[next] != "ref") continue;
        const std::vector<std::string> ref = split(word[next + 1], ":");
        request.ref_type = ref[0];
        request.ref_id = ref[1];
    }
    return request;
}

ChainResult LedgerFixture::submit(const std::string& chain) {
    std::vector<TransferRequest> requests;
    for (const std::string& text : split(chain, " + ")) requests.push_back(request(text));
    ChainResult done = ledger_.submit(requests, now_);
    collect(done.rows);
    return done;
}

void LedgerFixture::apply(const std::string& line) {
    const std::vector<std::string> sides = split(line, " -> ");
    CHECK(sides.size() == 2, "a line of the table language ends in -> and the outcome");
    EXPECT_EQ(reasons(submit(sides[0])), sides[1]) << line;
    const Result<void> sound = ledger_.verify();
    EXPECT_TRUE(sound.has_value()) << line << ": " << sound.error().message;
}

void LedgerFixture::at(const std::string& after_start) {
    now_ = start_ + *parse_duration(after_start);
}

std::string LedgerFixture::expire() {
    const ExpireResult done = ledger_.expire(now_);
    collect(done.rows);
    std::vector<std::string> names;
    names.reserve(done.rows.transfers.size());
    for (const Transfer& transfer : done.rows.transfers)
        names.push_back(name_of(transfer.pending_id));
    return join(names, " ");
}

std::string LedgerFixture::balances() const {
    std::vector<std::string> all;
    for (const std::string& name : shown_) {
        const Account* account = ledger_.find_account(this->account(name));
        all.push_back(
            name + " available=" + std::to_string(account->available().micro()) +
            " held=" + std::to_string(account->dr_pend.micro())
        );
    }
    return join(all, ", ");
}

void LedgerFixture::collect(const Rows& rows) {
    for (const Account& account : rows.accounts) accounts_[account.id()] = account;
    for (const Hold& hold : rows.holds) holds_[hold.pending_id] = hold;
    transfers_.insert(transfers_.end(), rows.transfers.begin(), rows.transfers.end());
    burnt_.insert(burnt_.end(), rows.burnt.begin(), rows.burnt.end());
}

Transfer LedgerFixture::transfer(const std::string& name) const {
    const std::optional<Transfer> found = ledger_.find_transfer(id(name));
    CHECK(found.has_value(), "a test asks for a transfer that it made");
    return *found;
}

Rows LedgerFixture::stored() const {
    Rows rows;
    for (const auto& [id, account] : accounts_) rows.accounts.push_back(account);
    for (const auto& [id, hold] : holds_) rows.holds.push_back(hold);
    rows.transfers = transfers_;
    rows.burnt = burnt_;
    return rows;
}

}  // namespace penstock::ledger
