# Fails where LIBRARY exports nothing that matches the regular expression OURS, or anything that does not.
execute_process(COMMAND "${NM}" --dynamic --defined-only --format=just-symbols "${LIBRARY}"
  OUTPUT_VARIABLE _symbols OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" _symbols "${_symbols}")
list(LENGTH _symbols _all)
set(_foreign ${_symbols})
list(FILTER _foreign EXCLUDE REGEX "${OURS}")
list(LENGTH _foreign _foreign_count)
if(_all EQUAL _foreign_count OR _foreign)
  list(SUBLIST _foreign 0 10 _first)
  message(FATAL_ERROR "${_all} symbols are exported, ${_foreign_count} of them not the module's own: ${_first}")
endif()
message(STATUS "${_all} symbols are exported, all of them the module's own")
