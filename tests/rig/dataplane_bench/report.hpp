// Figures as people and programs read them: tables, records, charts, ratios to an earlier run.
#pragma once

#include "tests/rig/dataplane_bench/measure.hpp"

#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

namespace nave::rig {

/// One row a figure; an empty line where another case, or a variant of it, begins.
std::string figure_table(std::span<const Figure> figures);
/// What several workers carry against one of them; empty when nothing can be compared.
std::string scaling_table(std::span<const Figure> figures);
/// What adaptive workers carry against polling ones; empty when nothing can be compared.
std::string mode_table(std::span<const Figure> figures);
/// Where a worker's cycles go: one row a figure, one column a stage.
std::string stage_table(std::span<const Figure> figures);
/// One object a figure. `hugepages`: whether EAL's memory lay in them.
nlohmann::json records(std::span<const Figure> figures, bool hugepages);
/// One row for each figure that the earlier run has as well: cycles then, now, and their ratio.
std::string comparison_table(std::span<const Figure> figures, const nlohmann::json& baseline);
/// The records of an earlier run. The error names the file and says what is wrong with it.
std::expected<nlohmann::json, std::string> read_records(const std::string& file);

}  // namespace nave::rig
