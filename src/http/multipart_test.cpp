// SPDX-License-Identifier: Apache-2.0
#include "http/multipart.h"

#include <gtest/gtest.h>

namespace penstock::http {
namespace {

using Kind = MultipartReader::Event::Kind;

// All parts as "name(filename)=data;", or what is wrong.
std::string read(std::string_view body, std::size_t step = 1 << 20) {
    MultipartReader parts("B");
    std::string out;
    while (!body.empty()) {
        parts.feed(body.substr(0, step));
        body.remove_prefix(std::min(step, body.size()));
        while (true) {
            const Result<MultipartReader::Event> event = parts.next();
            if (!event) return "error: " + event.error().message;
            if (event->kind == Kind::more) break;
            if (event->kind == Kind::end) return out + "end";
            if (event->kind == Kind::part)
                out += event->name + "(" + event->filename.value_or("-") + ")=";
            if (event->kind == Kind::data) out += event->data;
            if (event->kind == Kind::part_end) out += ";";
        }
    }
    return out + "cut";
}

constexpr std::string_view kForm =
    "--B\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
    "--B\r\ncontent-disposition: form-data; name=file; filename=\"a \\\"b\\\".jsonl\"\r\n"
    "Content-Type: application/octet-stream\r\n\r\n{\"a\":1}\r\n--C\r\n-\r\n--B--\r\n";

TEST(Multipart, ReadsNamesFileNamesAndData) {
    EXPECT_EQ(read(kForm), "purpose(-)=batch;file(a \"b\".jsonl)={\"a\":1}\r\n--C\r\n-;end");
}

TEST(Multipart, ReadsTheSameHoweverItIsCut) {
    const std::string whole = read(kForm);
    for (std::size_t step = 1; step < 40; ++step) EXPECT_EQ(read(kForm, step), whole) << step;
}

TEST(Multipart, APreambleIsPassedOverAndAnEmptyPartIsAPart) {
    EXPECT_EQ(
        read("hello\r\n--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n--B--"),
        "x(-)=;end"
    );
    EXPECT_EQ(read("--B--"), "end");
}

TEST(Multipart, APartWithoutDataReadsTheSameHoweverItIsCut) {
    for (const std::string_view body :
         {"--B\r\nContent-Disposition: form-data; name=x\r\n\r\n--B--",
          "--B\r\nContent-Disposition: form-data; name=x\r\n\r\n--A\r\n--B--",
          "--B\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n--B--"})
        for (std::size_t step = 1; step < body.size(); ++step)
            EXPECT_EQ(read(body, step), read(body)) << body << " by " << step;
    EXPECT_EQ(read("--B\r\nContent-Disposition: form-data; name=x\r\n\r\n--B--"), "x(-)=;end");
}

TEST(Multipart, PartsMayBeLongerThanHeaders) {
    const std::string data(100'000, 'x');
    const std::string body =
        "--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n" + data + "\r\n--B--";
    EXPECT_EQ(read(body), "x(-)=" + data + ";end");
    EXPECT_EQ(read(body, 999), "x(-)=" + data + ";end");
}

TEST(Multipart, ABodyThatEndsEarlyIsCut) {
    EXPECT_EQ(read(kForm.substr(0, kForm.size() - 5)).substr(0, 18), "purpose(-)=batch;f");
    EXPECT_TRUE(read(kForm.substr(0, kForm.size() - 5)).ends_with("cut"));
    EXPECT_EQ(read("nothing of it"), "cut");
}

TEST(Multipart, RefusesWhatIsNoForm) {
    EXPECT_TRUE(read("--Bx\r\n").starts_with("error")) << read("--Bx\r\n");
    EXPECT_TRUE(read("--B\r\nContent-Type: x\r\n\r\na\r\n--B--").starts_with("error"));
    EXPECT_TRUE(read("--B\r\nno colon\r\n\r\na").starts_with("error"));
    EXPECT_TRUE(read("--B\r\n" + std::string(9000, 'x')).starts_with("error"));
    std::string many;
    for (int i = 0; i < 40; ++i)
        many += "--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n";
    EXPECT_TRUE(read(many + "--B--").ends_with("more than 32 parts"));
}

TEST(Multipart, TheBoundaryStandsInTheContentType) {
    EXPECT_EQ(*MultipartReader::boundary_of("multipart/form-data; boundary=abc"), "abc");
    EXPECT_EQ(
        *MultipartReader::boundary_of("Multipart/Form-Data; charset=utf-8; boundary=\"a b\""), "a b"
    );
    EXPECT_FALSE(MultipartReader::boundary_of("application/json"));
    EXPECT_FALSE(MultipartReader::boundary_of("multipart/form-data"));
    EXPECT_FALSE(
        MultipartReader::boundary_of("multipart/form-data; boundary=" + std::string(71, 'x'))
    );
}

}  // namespace
}  // namespace penstock::http
