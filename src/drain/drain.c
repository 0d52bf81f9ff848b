#include "drain/drain.h"
