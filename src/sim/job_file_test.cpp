// SPDX-License-Identifier: Apache-2.0
#include "sim/job_file.h"

#include <gtest/gtest.h>

#include "sim/jct.h"

namespace penstock::sim {
namespace {

const ThroughputTable kTable{
    .kinds = {"fast", "slow"},
    .types =
        {{.name = "A", .devices = 1, .rate = {8, 1}},
         {.name = "B", .devices = 1, .rate = {0, 3}},
         {.name = "A", .devices = 2, .rate = {12, 2}}}
};
const ThroughputTable kNoTable{.kinds = {"fast", "slow"}};

Result<JobFile> read(
    std::string_view text, const ThroughputTable& table = kTable, std::string_view columns = ""
) {
    return read_job_file(*Csv::parse(text, "jobs.csv"), *parse_job_columns(columns), table, 1);
}
std::string complaint(std::string_view text, const ThroughputTable& table = kTable) {
    const auto file = read(text, table);
    return file ? "" : file.error().message;
}
std::string rendered(const JobFile& file) {
    std::string text;
    for (const ArrivingJob& job : file.jobs)
        text += std::to_string(job.arrived_ms) + " " + file.table.types[job.type].name + "/" +
                std::to_string(file.table.types[job.type].devices) + " " +
                std::to_string(static_cast<long>(job.steps)) + "; ";
    return text;
}

TEST(JobFile, JobsComeByArrivalAndTheFirstAtNothing) {
    EXPECT_EQ(
        rendered(*read("arrival,devices,steps,type\n110,2,70,A\n100,1,50,B\n")),
        "0 B/1 50; 10000 A/2 70; "
    );
}

TEST(JobFile, ADurationIsThatOnTheReferenceKind) {
    EXPECT_EQ(
        rendered(*read("arrival,devices,duration,type\n0,1,10,A\n0,1,10,B\n")),
        "0 A/1 80; 0 B/1 30; "
    );
}

TEST(JobFile, WithoutATableAStepIsASecondAnywhere) {
    EXPECT_EQ(
        rendered(*read("arrival,devices,duration\n0,4,10\n5,1,20\n", kNoTable)),
        "0 4 devices/4 10; 5000 1 devices/1 20; "
    );
}

TEST(JobFile, ColumnsAreNamedAndRowsThatNeverRanCounted) {
    const JobFile file = *read(
        "submit,gpus,begun,over\n0,1,5,25\n1,0,5,25\n2,1,,\n3,1,9,9\n", kNoTable,
        "arrival=submit,devices=gpus,start=begun,end=over"
    );
    EXPECT_EQ(rendered(file), "0 1 devices/1 20; ");
    EXPECT_EQ(file.without_devices, 1U);
    EXPECT_EQ(file.never_ran, 2U);
}

TEST(JobFile, ATypeThatIsNotNamedIsDrawnAndRepeatable) {
    std::string text = "arrival,devices,steps\n";
    for (int i = 0; i < 100; ++i) text += std::to_string(i) + ",1,10\n";
    const std::string drawn = rendered(*read(text));
    EXPECT_EQ(drawn, rendered(*read(text)));
    EXPECT_NE(drawn.find("A/1"), std::string::npos);
    EXPECT_NE(drawn.find("B/1"), std::string::npos);
}

TEST(JobFile, NamesFileLineAndColumn) {
    EXPECT_EQ(
        complaint("arrival,devices,steps,type\n0,1,5,Z\n"),
        "jobs.csv:2: column type: the throughput table has no type 'Z' of 1 devices"
    );
    EXPECT_EQ(
        complaint("arrival,devices,steps\n0,8,5\n"),
        "jobs.csv:2: column devices: the throughput table has no type of 8 devices"
    );
    EXPECT_EQ(
        complaint("arrival,devices\n0,8\n"),
        "jobs.csv: no column for steps, duration, or start and end: name it with --job-columns "
        "FIELD=COLUMN"
    );
    EXPECT_EQ(parse_job_columns("colour=x").error().field, "--job-columns");
}

TEST(JobFile, PoliciesMeetTheRecordedJobsAtAnyPace) {
    std::string text = "arrival,devices,duration\n";
    for (int i = 0; i < 60; ++i)
        text += std::to_string(i * 600) + "," + std::to_string(1 + i % 2) + "," +
                std::to_string(1000 + 900 * (i % 7)) + "\n";
    const JobFile file = *read(text, kNoTable);
    const JctOptions options{
        .policies = {"agnostic-las", "gavel-las", "least-left"},
        .jobs_per_hour = {file.jobs_per_hour, 2 * file.jobs_per_hour},
        .seeds = {0},
        .recorded = &file,
        .training = {.devices = {2, 2}, .measured_first = 0, .measured_last = file.jobs.size()}
    };
    const SystemClock clock;
    Progress progress(clock, [](const std::string&, std::size_t, std::size_t) {});
    const auto lines = simulate_jct(file.table, options, progress);
    ASSERT_TRUE(lines) << lines.error().message;
    for (const JctLine& line : *lines) {
        EXPECT_GT(line.points[0].hours_mean.mean(), 0.9);
        EXPECT_GT(line.points[1].hours_mean.mean(), line.points[0].hours_mean.mean());
    }
    EXPECT_LT(lines->at(2).points[1].hours_mean.mean(), lines->at(0).points[1].hours_mean.mean());
}

TEST(JobFile, AJobThatFitsNowhereIsRefused) {
    const JobFile file = *read("arrival,devices,duration\n0,4,10\n", kNoTable);
    const JctOptions options{
        .policies = {"agnostic-las"},
        .jobs_per_hour = {1},
        .seeds = {0},
        .recorded = &file,
        .training = {.devices = {2, 2}, .measured_first = 0, .measured_last = 1}
    };
    const SystemClock clock;
    Progress progress(clock, [](const std::string&, std::size_t, std::size_t) {});
    EXPECT_EQ(simulate_jct(file.table, options, progress).error().field, "devices");
}

}  // namespace
}  // namespace penstock::sim
